/** Livestorm for the suite: people registered to a session. */
import type { DestinationFixture, HeldRecord, ObjectFixture } from "./place.ts";

const token = "eyJhbGciOiJIUzI1NiJ9.livestorm-suite";
export const session = "7b0f3c52-91c4-4f5e-9a55-0f4f7a5b6c01";

/** A registrant as the sandbox holds it. */
export interface HeldRegistrant {
  readonly id: string;
  readonly session: string;
  readonly email: string;
  readonly fields: Readonly<Record<string, string | readonly string[]>>;
  readonly origin: Readonly<Record<string, string>>;
}

const held: ObjectFixture["held"] = (contents) => {
  const registrants = Object.values((contents["registrants"] ?? {}) as Record<string, HeldRegistrant>);
  return new Map(
    registrants.map(({ id, email, fields, origin }): [string, HeldRecord] => [
      email,
      { id, record: { ...fields, ...origin } },
    ]),
  );
};

export const attributes = [
  { slug: "job_title", name: "Job title" },
  { slug: "website", type: "url" },
  { slug: "company_size", type: "unique_select", options: ["small", "large"] },
  { slug: "interests", type: "multiple_select", options: ["api", "sales", "support"] },
  { slug: "terms", type: "consent" },
];

const fixture: DestinationFixture = {
  connection: { api_token: token },
  refusedCredential: { api_token: "wrong" },
  seed: { tokens: [{ token }], attributes, sessions: [{ id: session, name: "Product tour" }] },
  objects: [
    {
      name: "registrants",
      settings: { session },
      match: "email",
      matchValue: (n) => `person${n}@example.com`,
      record: (n, revision) => ({
        job_title: `Title ${n}.${revision}`,
        first_name: `First ${n}.${revision}`,
        interests: [["api"], ["sales"], ["support"], ["api", "sales"], ["sales", "support"]][revision % 5] ?? [],
      }),
      bad: { company_size: "enormous" },
      held,
    },
  ],
};

export default fixture;
