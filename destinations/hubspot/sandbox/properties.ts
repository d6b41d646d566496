/** The sandbox's properties: HubSpot's standard ones, those that a seed or a request adds, and what values they take. */
import { z } from "zod";

export const propertySchema = z.object({
  name: z.string(),
  label: z.string().default(""),
  description: z.string().default(""),
  groupName: z.string().default("sandbox"),
  type: z.string().default("string"),
  fieldType: z.string().default("text"),
  hasUniqueValue: z.boolean().default(false),
  calculated: z.boolean().default(false),
  externalOptions: z.boolean().default(false),
  hidden: z.boolean().default(false),
  formField: z.boolean().default(true),
  options: z
    .array(
      z.object({
        label: z.string(),
        value: z.string(),
        description: z.string().default(""),
        displayOrder: z.int().default(-1),
        hidden: z.boolean().default(false),
      }),
    )
    .default([]),
  modificationMetadata: z
    .object({ archivable: z.boolean(), readOnlyDefinition: z.boolean(), readOnlyValue: z.boolean() })
    .default({ archivable: true, readOnlyDefinition: false, readOnlyValue: false }),
});

export type Property = z.output<typeof propertySchema>;

function standard(name: string, type: string, detail: Partial<z.input<typeof propertySchema>> = {}): Property {
  const fieldTypes: Readonly<Record<string, string>> = {
    number: "number",
    date: "date",
    datetime: "date",
    enumeration: "select",
    bool: "booleancheckbox",
  };
  const label = name.replaceAll("_", " ");
  return propertySchema.parse({
    name,
    label,
    type,
    fieldType: fieldTypes[type] ?? "text",
    groupName: "information",
    modificationMetadata: { archivable: false, readOnlyDefinition: true, readOnlyValue: false },
    ...detail,
  });
}

function readOnly(name: string, type: string): Property {
  return standard(name, type, {
    modificationMetadata: { archivable: false, readOnlyDefinition: true, readOnlyValue: true },
  });
}

function choices(...values: readonly string[]): Pick<z.input<typeof propertySchema>, "options"> {
  return {
    options: values.map((value, displayOrder) => ({
      value,
      label: value.toLowerCase().replaceAll("_", " "),
      displayOrder,
    })),
  };
}

export const lifecycleStages = [
  "subscriber",
  "lead",
  "marketingqualifiedlead",
  "salesqualifiedlead",
  "opportunity",
  "customer",
  "evangelist",
  "other",
];

const everywhere = [
  readOnly("hs_object_id", "number"),
  readOnly("createdate", "datetime"),
  readOnly("lastmodifieddate", "datetime"),
];
const texts = (...names: readonly string[]): Property[] => names.map((name) => standard(name, "string"));

/** What every account has. */
export const standardProperties: Readonly<Record<string, readonly Property[]>> = {
  contacts: [
    ...everywhere,
    ...texts("email", "firstname", "lastname", "phone", "jobtitle", "company", "city", "country", "website"),
    standard("hs_additional_emails", "enumeration", { fieldType: "checkbox", externalOptions: true }),
    standard("lifecyclestage", "enumeration", choices(...lifecycleStages)),
  ],
  companies: [
    ...everywhere,
    ...texts("name", "domain", "phone", "city", "country", "website", "description"),
    standard(
      "industry",
      "enumeration",
      choices(
        "COMPUTER_SOFTWARE",
        "FINANCIAL_SERVICES",
        "HOSPITAL_HEALTH_CARE",
        "RETAIL",
        "LOGISTICS_AND_SUPPLY_CHAIN",
        "EDUCATION_MANAGEMENT",
        "MARKETING_AND_ADVERTISING",
        "CONSTRUCTION",
      ),
    ),
    standard("numberofemployees", "number"),
    standard("annualrevenue", "number"),
    standard("lifecyclestage", "enumeration", choices(...lifecycleStages)),
  ],
  deals: [
    ...everywhere,
    ...texts("dealname", "description"),
    standard("amount", "number"),
    standard("pipeline", "enumeration", choices("default")),
    standard(
      "dealstage",
      "enumeration",
      choices("appointmentscheduled", "qualifiedtobuy", "contractsent", "closedwon", "closedlost"),
    ),
    standard("closedate", "datetime"),
  ],
  tickets: [
    ...everywhere,
    ...texts("subject", "content"),
    standard("hs_ticket_priority", "enumeration", choices("LOW", "MEDIUM", "HIGH", "URGENT")),
    standard("hs_pipeline", "enumeration", choices("0")),
    standard("hs_pipeline_stage", "enumeration", choices("1", "2", "3", "4")),
  ],
};

/** What is wrong with a value, in HubSpot's terms. */
export interface InvalidValue {
  readonly isValid: false;
  readonly message: string;
  readonly error: string;
  readonly name: string;
}

const longest = 65_536;
const email = /^[^\s@,;()<>[\]"\\]+@[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$/i;
const instant = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2}))?$/;

/** Why a property does not take a value, or null when it does. Empty text clears and is always taken. */
export function invalidity(property: Property | undefined, name: string, value: string): InvalidValue | null {
  const refuse = (error: string, message: string): InvalidValue => ({ isValid: false, message, error, name });
  if (!property) return refuse("PROPERTY_DOESNT_EXIST", `Property "${name}" does not exist`);
  if (property.modificationMetadata.readOnlyValue || property.calculated)
    return refuse("READ_ONLY_VALUE", `"${name}" is a read only property`);
  if (value === "") return null;
  if (value.length > longest)
    return refuse(
      "PROPERTY_VALUE_TOO_LONG",
      `The value of "${name}" has ${value.length} characters, more than ${longest}`,
    );
  switch (property.type) {
    case "number":
      return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value)
        ? null
        : refuse("INVALID_DOUBLE", `${value.slice(0, 80)} was not a valid number.`);
    case "bool":
      return value === "true" || value === "false"
        ? null
        : refuse("INVALID_BOOLEAN", `${value.slice(0, 80)} was not one of true, false.`);
    case "date":
    case "datetime":
      return isInstant(value, property.type)
        ? null
        : refuse("INVALID_DATE", `${value.slice(0, 80)} was not a valid ${property.type}.`);
    case "enumeration":
      return chosen(property, value)
        ? null
        : refuse(
            "INVALID_OPTION",
            `${value.slice(0, 80)} was not one of the allowed options: [${property.options.map((one) => one.value).join(", ")}]`,
          );
    default:
      return name === "email" && !email.test(value.trim())
        ? refuse("INVALID_EMAIL", `Email address ${value.slice(0, 80)} is invalid`)
        : null;
  }
}

function isInstant(value: string, type: "date" | "datetime"): boolean {
  // Milliseconds; a date's must be midnight in UTC.
  if (/^-?\d+$/.test(value)) return type === "datetime" || Number(value) % 86_400_000 === 0;
  return instant.test(value) && !Number.isNaN(Date.parse(value)) && (type === "datetime" || value.length === 10);
}

function chosen(property: Property, value: string): boolean {
  if (property.externalOptions) return true;
  const values = property.fieldType === "checkbox" ? value.replace(/^;/, "").split(";") : [value];
  return values.every((one) => property.options.some((option) => option.value === one));
}
