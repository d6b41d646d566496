/** What a person must give to connect: the address, the credential, and the declared objects. */
import { z } from "zod";
import { headerName, objectShape } from "./declaration.ts";
import { faultsOf } from "./faults.ts";
import { pointerPattern } from "./pointer.ts";

const credential = z.string().regex(/^[!-~]+$/, "text without blanks and without letters beyond ASCII");
const headerValue = z.string().regex(/^[\t -~]*$/, "text in one line and in ASCII");

const check = z.strictObject({
  path: z.string().regex(/^(\/[^?#\s]*)?$/, "a path that begins with a slash"),
  account: z.string().regex(pointerPattern, "a JSON pointer, such as /name").optional(),
});

const rateLimit = z.strictObject({
  requests: z.int().min(1),
  per_seconds: z
    .number()
    .gt(0)
    .max(31 * 86_400),
});

/** An object, with everything that could never work in it told where it stands. */
const objectSchema = objectShape.superRefine((object, context) => {
  for (const { path, message } of faultsOf(object)) context.addIssue({ code: "custom", path: [...path], message });
});

export const connection = z
  .strictObject({
    base_url: z
      .url({ protocol: /^https?$/ })
      .refine((url) => !/[?#]|\/\/[^/]*@/.test(url), "an address without a user, a ? and a #")
      .meta({ description: "Where the service is. The paths of the operations are put after it." }),
    auth: z.enum(["none", "bearer", "basic", "api_key", "signature"]).meta({
      description: "How requests tell who sends them. `none` has to be said, so that it is never forgotten.",
    }),
    bearer_token: credential
      .optional()
      .meta({ secret: true, description: "For auth: bearer. Sent as `Authorization: Bearer …`." }),
    username: z
      .string()
      .regex(/^[^:]+$/, "a name without a colon")
      .optional()
      .meta({ description: "For auth: basic." }),
    password: z.string().min(1).optional().meta({ secret: true, description: "For auth: basic." }),
    api_key: headerValue
      .min(1)
      .optional()
      .meta({ secret: true, description: "For auth: api_key. Sent as it is, in the header `api_key_header`." }),
    api_key_header: headerName.default("X-API-Key").meta({ description: "The header that the API key is sent in." }),
    signing_secret: z
      .string()
      .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, "whsec_ and then 24 to 64 bytes in base64")
      .optional()
      .meta({ secret: true, description: "Signs each request as Standard Webhooks says. With any auth." }),
    headers: z
      .record(headerName, headerValue)
      .default({})
      .meta({ description: "Headers of every request that are no secrets." }),
    secret_headers: z
      .record(headerName, headerValue.min(1))
      .default({})
      .meta({ secret: true, description: "Headers of every request whose values nobody may see." }),
    idempotency_header: headerName.optional().meta({
      description: "A header, such as Idempotency-Key, that has the same value in every attempt at a request.",
    }),
    rate_limits: z
      .array(rateLimit)
      .default([])
      .meta({ description: "What the service takes, such as [{ requests: 5, per_seconds: 1 }]." }),
    check: check.optional().meta({
      description: "An address to GET that answers 2xx to a good credential, and where its answer names the account.",
    }),
    objects: z
      .record(z.string().regex(/^[A-Za-z0-9][\w.-]*$/, "a name of letters, digits, _ . and -"), objectSchema)
      .meta({ description: "What can be written, by name: fields, requests, and which answer means what." })
      .refine((objects) => Object.keys(objects).length > 0, "at least one object"),
  })
  .superRefine((settings, context) => {
    for (const name of missingFor(settings))
      context.addIssue({ code: "custom", path: [name], message: `what auth: ${settings.auth} needs` });
    for (const name of superfluousFor(settings))
      context.addIssue({ code: "custom", path: [name], message: `nothing; auth is ${settings.auth}` });
    for (const { path, message } of doubledHeaders(settings))
      context.addIssue({ code: "custom", path: [...path], message });
  });

export type HttpConfig = z.output<typeof connection>;

const credentialsOf = {
  none: [],
  bearer: ["bearer_token"],
  basic: ["username", "password"],
  api_key: ["api_key"],
  signature: ["signing_secret"],
} as const satisfies Record<HttpConfig["auth"], readonly (keyof HttpConfig)[]>;

function missingFor(settings: HttpConfig): readonly (keyof HttpConfig)[] {
  return credentialsOf[settings.auth].filter((name) => settings[name] === undefined);
}

/** A credential that is given but not sent would be taken for one that protects something. */
function superfluousFor(settings: HttpConfig): readonly (keyof HttpConfig)[] {
  const used: readonly (keyof HttpConfig)[] = [...credentialsOf[settings.auth], "signing_secret"];
  return Object.values(credentialsOf)
    .flat()
    .filter((name) => settings[name] !== undefined && !used.includes(name));
}

/** Headers that are set twice, or that would change where or how a request is sent. */
function doubledHeaders(
  settings: HttpConfig,
): readonly { readonly path: readonly string[]; readonly message: string }[] {
  const set = new Set(["host", "connection", "content-length", "content-type", "transfer-encoding"]);
  if (settings.auth === "bearer" || settings.auth === "basic") set.add("authorization");
  if (settings.signing_secret !== undefined)
    for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) set.add(name);
  const given = [
    ...(settings.auth === "api_key" ? [["api_key_header", settings.api_key_header] as const] : []),
    ...(settings.idempotency_header === undefined
      ? []
      : [["idempotency_header", settings.idempotency_header] as const]),
    ...Object.keys(settings.headers).map((name) => ["headers", name] as const),
    ...Object.keys(settings.secret_headers).map((name) => ["secret_headers", name] as const),
  ];
  return given.flatMap(([setting, name]) => {
    const taken = set.has(name.toLowerCase());
    set.add(name.toLowerCase());
    if (!taken) return [];
    const path = setting.endsWith("headers") ? [setting, name] : [setting];
    return [{ path, message: "another header; this one is set already" }];
  });
}

/** A name and a password as HTTP sends them. */
export function basicOf({ username = "", password = "" }: Pick<HttpConfig, "username" | "password">): string {
  return Buffer.from(`${username}:${password}`).toString("base64");
}
