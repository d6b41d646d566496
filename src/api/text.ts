import { z } from "zod";

/** Text of a request that the store can take: Postgres refuses NUL characters and halves of surrogate pairs. */
export const text = z
  .string()
  .refine((value) => value.isWellFormed() && !value.includes("\0"), "must be text without NUL characters");
