/** What a remote adapter says when it refuses or fails, and what is said of an answer that is none. */
import type { z } from "zod";
import { DestinationError, type FailedResponse, type FailureHint } from "../../src/destination.ts";
import { parseJson } from "../../src/json-api.ts";
import { faultsOf, refusalSchema } from "./protocol.ts";

/** A request that was refused whole: nothing of it was applied. */
export function refusalOf({ status, body }: { readonly status: number; readonly body: unknown }): DestinationError {
  const said = refusalSchema.safeParse(body).data;
  const hint = status === 404 ? " Is an adapter at base_url?" : "";
  const message = said?.message ?? `The request was refused (${status}) without { code, message }.${hint}`;
  const code = said?.code ?? `http_${status}`;
  return new DestinationError("refused", message, { code, applied: "no", status, field: said?.field });
}

/** Code and message of a failure, where its body has them; the wait stands in Retry-After. */
export function remoteFailure({ body }: FailedResponse): FailureHint | undefined {
  const said = refusalSchema.safeParse(parseJson(body)).data;
  return said && { code: said.code, message: said.message };
}

/** Whether the request could have applied something: an answer that nobody understands must not be taken for a refusal. */
export type Asked = "to look" | "to write";

/** An answer that is not what the protocol says. */
export function unfit(asked: Asked, code: string, message: string): DestinationError {
  return asked === "to look"
    ? new DestinationError("refused", message, { code, applied: "no" })
    : new DestinationError("unavailable", message, { code, applied: "unknown" });
}

/** What an answer has in its form. Throws, naming what is wrong and where, when it has another. */
export function parseAnswer<Form>(schema: z.ZodType<Form>, body: unknown, what: string, asked: Asked): Form {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const message = `The adapter's answer to ${what} is not what the protocol says. ${faultsOf(parsed.error)}`;
  throw unfit(asked, "answer_invalid", message);
}
