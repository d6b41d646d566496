/** Fields as the adapter knows them, whoever made them. */

/** What Pipedrive keeps in a field. */
export type Kind =
  | "text"
  | "number"
  | "percent"
  | "integer"
  | "id"
  | "boolean"
  | "date"
  | "date_range"
  | "time"
  | "time_range"
  | "option"
  | "options"
  | "money"
  | "currency"
  | "address"
  | "email"
  | "emails"
  | "phone"
  | "phones";

/** A field as the adapter knows it. */
export interface Known {
  /** Of a custom field its key, which is another in every company. */
  readonly name: string;
  readonly title: string;
  readonly kind: Kind;
  readonly writable: boolean;
  readonly custom?: boolean;
  readonly matches?: boolean;
  /** Cannot be cleared. */
  readonly lasting?: boolean;
  readonly required?: boolean;
  readonly maxLength?: number;
  /** What a person sees → what Pipedrive takes. */
  readonly options?: ReadonlyMap<string, number | string>;
}

/** The fields of an object, by name. */
export type KnownFields = ReadonlyMap<string, Known>;
