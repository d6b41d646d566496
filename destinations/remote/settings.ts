/** What connects to a remote adapter: its address, the credential, and what has to be known without asking it. */
import { z } from "zod";

const rateLimit = z.strictObject({
  requests: z.int().min(1),
  per_seconds: z
    .number()
    .gt(0)
    .max(31 * 86_400),
});

export const connection = z
  .strictObject({
    base_url: z
      .url({ protocol: /^https?$/ })
      .refine((url) => !/[?#]|\/\/[^/]*@/.test(url), "an address without a user, a ? and a #")
      .meta({ description: "Where the adapter is. /objects, /describe, /write, /read and /jobs are beneath it." }),
    auth: z.enum(["none", "bearer"]).meta({
      description: "How requests tell who sends them. `none` has to be said, so that it is never forgotten.",
    }),
    bearer_token: z
      .string()
      .regex(/^[!-~]+$/, "text without blanks and without letters beyond ASCII")
      .optional()
      .meta({ secret: true, description: "For auth: bearer. Sent as `Authorization: Bearer …`." }),
    rate_limits: z.array(rateLimit).default([]).meta({
      description: "What the adapter takes, such as [{ requests: 5, per_seconds: 1 }]. None: it is felt for.",
    }),
    ignores_case: z
      .record(z.string(), z.array(z.string().min(1)).min(1))
      .default({})
      .meta({
        description: "By object, the match fields whose values are one whatever their case: { contacts: [email] }.",
      }),
  })
  .superRefine(({ auth, bearer_token }, context) => {
    if (auth === "bearer" && bearer_token === undefined)
      context.addIssue({ code: "custom", path: ["bearer_token"], message: "what auth: bearer needs" });
    // A credential that is given but not sent would be taken for one that protects something.
    if (auth === "none" && bearer_token !== undefined)
      context.addIssue({ code: "custom", path: ["bearer_token"], message: "nothing; auth is none" });
  });

export type RemoteConfig = z.output<typeof connection>;
