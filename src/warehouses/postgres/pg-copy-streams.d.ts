/** The part of `pg-copy-streams` that is used: it has no types of its own. */
declare module "pg-copy-streams" {
  import type { Writable } from "node:stream";
  import type { Submittable } from "pg";

  /** What is written to it becomes the rows of a `COPY … FROM STDIN`. */
  export function from(sql: string): Writable & Submittable;
}
