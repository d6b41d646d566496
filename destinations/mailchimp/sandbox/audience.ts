/** An audience: its merge fields, its members, and those who can never be members again. */
import { hash } from "node:crypto";
import { z } from "zod";

export const statuses = ["subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived"] as const;

export const audienceSchema = z.strictObject({
  id: z.string(),
  name: z.string().default("Sandbox"),
  merge_fields: z
    .array(
      z.strictObject({
        tag: z.string(),
        name: z.string(),
        type: z.string().default("text"),
        required: z.boolean().default(false),
        choices: z.array(z.string()).default([]),
      }),
    )
    .default([
      { tag: "FNAME", name: "First Name", type: "text", required: false, choices: [] },
      { tag: "LNAME", name: "Last Name", type: "text", required: false, choices: [] },
    ]),
  members: z
    .array(z.strictObject({ email_address: z.string(), status: z.enum(statuses).default("subscribed") }))
    .default([]),
  /** Members who had themselves deleted: they can never be added by the API again. */
  forgotten: z.array(z.string()).default([]),
});

export interface Member {
  readonly contact_id: string;
  readonly email_address: string;
  readonly status: string;
  readonly merge_fields: Readonly<Record<string, unknown>>;
  readonly language?: unknown;
  readonly vip?: unknown;
}

export interface Fault {
  readonly title: string;
  readonly message: string;
  readonly field?: string;
}

type Given = Readonly<Record<string, unknown>>;

export class Audience {
  readonly id: string;
  readonly mergeFields: z.output<typeof audienceSchema>["merge_fields"];
  readonly members = new Map<string, Member>();
  readonly #forgotten: Set<string>;
  #made = 0;

  constructor({ id, merge_fields, members, forgotten }: z.output<typeof audienceSchema>) {
    this.id = id;
    this.mergeFields = merge_fields;
    this.#forgotten = new Set(forgotten.map((email) => email.toLowerCase()));
    for (const one of members) this.make(one.email_address, one);
  }

  /** By Mailchimp's id, the address, or the hash of the address in small letters. */
  find(name: string): Member | undefined {
    const sought = name.toLowerCase();
    return [...this.members.values()].find(({ contact_id, email_address }) => {
      const email = email_address.toLowerCase();
      return contact_id === sought || email === sought || hash("md5", email, "hex") === sought;
    });
  }

  make(email: string, given: Given): Member {
    const contact_id = hash("md5", `${this.id} ${(this.#made += 1)}`, "hex");
    return this.#keep({ contact_id, email_address: email, status: textOf(given["status"]), merge_fields: {} }, given);
  }

  change(member: Member, given: Given): Member {
    const email = given["email_address"];
    return this.#keep(typeof email === "string" ? { ...member, email_address: email } : member, given);
  }

  #keep(member: Member, { merge_fields = {}, language, vip }: Given): Member {
    const merged = { ...member.merge_fields, ...(merge_fields as Given) };
    const kept = {
      ...member,
      merge_fields: Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== "")),
      ...(language === undefined ? {} : { language }),
      ...(vip === undefined ? {} : { vip }),
    };
    this.members.set(kept.contact_id, kept);
    return kept;
  }

  archive(member: Member): void {
    this.members.set(member.contact_id, { ...member, status: "archived" });
  }

  forget(member: Member): void {
    this.members.delete(member.contact_id);
    this.#forgotten.add(member.email_address.toLowerCase());
  }

  /** Why a member may not be so, if at all. */
  fault(email: string, given: Given, before: Member | undefined): Fault | undefined {
    if (!/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email))
      return { title: "Invalid Resource", message: "Please provide a valid email address.", field: "email_address" };
    if (/^(fake|test)@/.test(email))
      return {
        title: "Invalid Resource",
        message: `${email} looks fake or invalid, please enter a real email address.`,
      };
    if (!before && this.#forgotten.has(email.toLowerCase()))
      return {
        title: "Forgotten Email Not Subscribed",
        message: `${email} was permanently deleted and cannot be re-imported.`,
      };
    if (given["status"] === "subscribed" && before && ["unsubscribed", "cleaned"].includes(before.status))
      return { title: "Member In Compliance State", message: `${email} is already a list member in compliance state.` };
    return this.#mergeFault(given["merge_fields"] as Given | undefined, before);
  }

  #mergeFault(given: Given = {}, before: Member | undefined): Fault | undefined {
    const after: Given = { ...before?.merge_fields, ...given };
    const title = "Invalid Resource";
    for (const { tag, type, required, choices } of this.mergeFields) {
      const value = textOf(after[tag]);
      if (required && value === "") return { title, message: "This value should not be blank.", field: tag };
      if (value === "") continue;
      if (type === "number" && !Number.isFinite(Number(value)))
        return { title, message: "Please enter a number", field: tag };
      if (type === "dropdown" && !choices.includes(value))
        return { title, message: "Value must be one of the choices", field: tag };
      if (type === "text" && value.length > 255)
        return { title, message: "Data did not match: 255 characters at most", field: tag };
    }
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number"
    ? String(value)
    : value === undefined
      ? ""
      : JSON.stringify(value);
}
