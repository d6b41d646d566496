/** A contact's properties as fields. Pure. */
import { z } from "zod";
import type { Field, FieldType } from "../../src/destination.ts";

export const emailField = "email";
export const userIdField = "userId";
/** What a contact is found by. Each is one contact's at most, and neither can be cleared. */
export const identifiers = [emailField, userIdField] as const;

export const propertiesSchema = z.array(z.object({ key: z.string(), label: z.string(), type: z.string() }));

/** The API takes no longer text. */
const maxLength = 500;

const types: Readonly<Record<string, FieldType>> = {
  string: "text",
  number: "number",
  boolean: "boolean",
  date: "datetime",
};

const text = { type: "text", writable: true, matches: false, maxLength } as const;

/** What every contact has. */
const own: readonly Field[] = [
  { ...text, name: emailField, title: "Email", matches: true, matching: "case_insensitive", required: true },
  { ...text, name: userIdField, title: "User Id", matches: true },
  { ...text, name: "firstName", title: "First Name" },
  { ...text, name: "lastName", title: "Last Name" },
  { ...text, name: "source", title: "Source" },
  { ...text, name: "userGroup", title: "User Group" },
  // With true, the API subscribes people again who left. No sync does that.
  { name: "subscribed", title: "Subscribed", type: "boolean", writable: false, matches: false },
];

/** A property of a type that nobody knows yet can be seen, and not written. */
export function toFields(custom: z.output<typeof propertiesSchema>): readonly Field[] {
  return [
    ...own,
    ...custom.map(({ key: name, label: title, type }): Field => {
      const known = types[type];
      if (known === "text") return { ...text, name, title };
      return { name, title, type: known ?? "json", writable: known !== undefined, matches: false };
    }),
  ];
}
