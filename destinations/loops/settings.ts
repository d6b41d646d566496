/** What connects to a Loops account. */
import { z } from "zod";

export const connection = z.strictObject({
  api_key: z
    .string()
    .regex(/^[!-~]+$/, "text without blanks")
    .meta({ secret: true, description: "An API key: Settings, API." }),
  base_url: z.url().optional().meta({ description: "Another address, such as a sandbox's, without /v1." }),
});

export type LoopsConfig = z.output<typeof connection>;
