/**
 * A Mailchimp account in memory: audiences with merge fields and members, the batch of five hundred, and Mailchimp's own words
 * when it refuses. Shapes follow Mailchimp's reference of the Marketing API 3.0.
 */
import { z } from "zod";
import type { CreateSandbox, SandboxRequest, SandboxResponse } from "../../src/sandbox.ts";
import { Audience, audienceSchema, type Fault, type Member, statuses } from "./sandbox/audience.ts";

const seedSchema = z.strictObject({
  /** The keys that it takes. None given: any but one that begins with `expired`. */
  keys: z.array(z.string()).optional(),
  audiences: z.array(audienceSchema).prefault([{ id: "a1b2c3d4e5" }]),
});

const most = 500;

const createSandbox: CreateSandbox = ({ seed = {} } = {}) => {
  const given = seedSchema.parse(seed);
  const open = (): ReadonlyMap<string, Audience> => new Map(given.audiences.map((one) => [one.id, new Audience(one)]));
  let audiences = open();
  return {
    failures,
    distort,
    contents: () =>
      Object.fromEntries([...audiences.values()].map(({ id, members }) => [id, Object.fromEntries(members)])),
    reset: () => {
      audiences = open();
    },
    handle: (request) => (isKnown(request, given.keys) ? route(request, audiences) : unauthorized),
  };
};

export default createSandbox;

function isKnown({ headers }: SandboxRequest, keys: readonly string[] | undefined): boolean {
  const basic = /^Basic (.+)$/.exec(headers["authorization"] ?? "")?.[1] ?? "";
  const key = Buffer.from(basic, "base64").toString().split(":").at(-1) ?? "";
  return keys ? keys.includes(key) : key !== "" && !key.startsWith("expired");
}

function route(request: SandboxRequest, audiences: ReadonlyMap<string, Audience>): SandboxResponse {
  const [, version, area, id = "", part, name, ...action] = request.path.split("/");
  if (version !== "3.0") return notFound;
  if (area === "" && request.method === "GET") return { status: 200, body: { account_name: "Sandbox", role: "owner" } };
  const audience = area === "lists" ? audiences.get(id) : undefined;
  if (!audience) return notFound;
  if (part === undefined && request.method === "POST") return add(request.body, audience);
  if (part === "merge-fields" && request.method === "GET") return mergeFields(audience);
  return part === "members" && name !== undefined ? member(request, name, action.join("/"), audience) : notFound;
}

function mergeFields({ id, mergeFields: all }: Audience): SandboxResponse {
  const merge_fields = all.map(({ choices, ...one }, at) => ({
    merge_id: at + 1,
    ...one,
    options: { size: 25, choices },
  }));
  return { status: 200, body: { merge_fields, list_id: id, total_items: all.length } };
}

const membersSchema = z.strictObject({
  members: z.array(
    z.looseObject({ email_address: z.string(), status: z.enum(statuses).exclude(["archived", "cleaned"]) }),
  ),
  update_existing: z.boolean(),
});

function add(body: unknown, audience: Audience): SandboxResponse {
  const { data, error } = membersSchema.safeParse(body);
  if (!data) return problem(400, "Invalid Resource", z.prettifyError(error));
  if (data.members.length > most) return problem(400, "Invalid Resource", `At most ${most} members.`);
  const new_members: Member[] = [];
  const updated_members: Member[] = [];
  const errors: unknown[] = [];
  for (const given of data.members) {
    const email = given.email_address;
    const before = audience.find(email);
    const fault = audience.fault(email, given, before);
    if (before && !data.update_existing)
      errors.push({
        email_address: email,
        error: `${email} is already a list member, do you want to update? please provide update_existing:true in the request body`,
        error_code: "ERROR_CONTACT_EXISTS",
      });
    else if (fault)
      errors.push({
        email_address: email,
        error: fault.message,
        error_code: "ERROR_GENERIC",
        field: fault.field ?? "",
        field_message: fault.field ? fault.message : "",
      });
    else if (before) updated_members.push(audience.change(before, given));
    else new_members.push(audience.make(email, given));
  }
  const counts = {
    total_created: new_members.length,
    total_updated: updated_members.length,
    error_count: errors.length,
  };
  return { status: 200, body: { new_members, updated_members, errors, ...counts } };
}

function member({ method, body }: SandboxRequest, name: string, action: string, audience: Audience): SandboxResponse {
  const found = audience.find(name);
  if (!found) return notFound;
  if (method === "POST" && action === "actions/delete-permanent") {
    audience.forget(found);
    return { status: 204 };
  }
  if (method === "DELETE" && action === "") {
    if (found.status === "archived") return problem(405, "Method Not Allowed", "This member is already archived.");
    audience.archive(found);
    return { status: 204 };
  }
  if (method === "GET" && action === "") return { status: 200, body: found };
  if (method !== "PATCH" || action !== "") return notFound;
  const given = z.record(z.string(), z.unknown()).safeParse(body).data ?? {};
  const email = typeof given["email_address"] === "string" ? given["email_address"] : found.email_address;
  const taken = audience.find(email);
  if (taken && taken.contact_id !== found.contact_id)
    return problem(400, "Member Exists", `${email} is already a list member.`);
  const fault = audience.fault(email, given, found);
  return fault ? faulty(fault) : { status: 200, body: audience.change(found, given) };
}

function faulty({ title, message, field }: Fault): SandboxResponse {
  return problem(400, title, message, field === undefined ? [] : [{ field, message }]);
}

function problem(status: number, title: string, detail: string, errors: readonly unknown[] = []): SandboxResponse {
  const headers = { "content-type": "application/problem+json; charset=utf-8" };
  const type = "https://mailchimp.com/developer/marketing/docs/errors/";
  return {
    status,
    headers,
    body: { type, title, status, detail, instance: "sandbox", ...(errors.length > 0 ? { errors } : {}) },
  };
}

const notFound = problem(404, "Resource Not Found", "The requested resource could not be found.");
const unauthorized = problem(
  401,
  "API Key Invalid",
  "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
);

/** Failures in Mailchimp's words, by name. An overloaded account may get no JSON at all. */
const failures: Readonly<Record<string, SandboxResponse>> = {
  unauthorized,
  too_many: problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections."),
  overloaded: { status: 403, headers: { "content-type": "text/html" }, text: "<html>Forbidden</html>" },
  unavailable: problem(503, "Service Unavailable", "The service is unavailable."),
};

const addedSchema = z.looseObject({ new_members: z.array(z.unknown()), errors: z.array(z.unknown()) });

function distort(kind: "silent" | "partial" | "shuffle", response: SandboxResponse): SandboxResponse {
  if (kind === "silent") return { status: 200, body: { new_members: [], updated_members: [], errors: [] } };
  const answer = addedSchema.safeParse(response.body).data;
  if (!answer) return response;
  const shown = (all: readonly unknown[]): readonly unknown[] =>
    kind === "partial" ? all.filter((_, at) => at % 2 === 0) : all.toReversed();
  return { ...response, body: { ...answer, new_members: shown(answer.new_members), errors: shown(answer.errors) } };
}
