/** Errors as RFC 9457 problem documents. */
import { STATUS_CODES } from "node:http";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { ZodError } from "zod";
import { DestinationError } from "../destination.ts";
import { InvalidDocument, type Problem } from "../documents/problem.ts";
import { ConflictError, NotFoundError, SluiceError, UsageError, WarehouseError } from "../errors.ts";
import { AccessError } from "../security/access.ts";
import { typeOfProblem } from "./errors.ts";

/** Answers with what happened and what to do; an error that nobody foresaw is logged and told without its details. */
export function tellProblem(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = statusOf(error);
  if (status >= 500) request.log.error(error);
  const known = !(status === 500);
  const code = codeOf(error);
  if (status === 401) void reply.header("www-authenticate", 'Bearer realm="sluice"');
  if (status === 429) void reply.header("retry-after", "60");
  return reply
    .code(status)
    .type("application/problem+json")
    .send({
      type: typeOfProblem(code),
      title: STATUS_CODES[status] ?? "Error",
      status,
      code,
      detail: known ? detailOf(error) : "Something went wrong that Sluice did not foresee. Its log says more.",
      ...(error instanceof SluiceError && error.hint ? { hint: error.hint } : {}),
      ...(error instanceof ZodError ? { errors: error.issues.flatMap(requestErrors) } : {}),
      ...(error instanceof InvalidDocument ? { errors: error.problems.map(documentError) } : {}),
    });
}

/** What is wrong with the request: a key that is not known is told at its own place. */
function requestErrors({ path, message, ...issue }: ZodError["issues"][number]): readonly object[] {
  const places = issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path];
  return places.map((place) => ({ pointer: place.map((part) => `/${String(part)}`).join(""), detail: message }));
}

/** What is wrong with one of several documents; the pointer begins with its number. */
function documentError({ document, code, pointer, message, found, expected, suggestion }: Problem): object {
  return { document, code, pointer, detail: message, found, expected, suggestion };
}

function statusOf(error: unknown): number {
  if (error instanceof AccessError) return error.status;
  if (error instanceof NotFoundError) return 404;
  if (error instanceof ConflictError) return error.code === "version_conflict" ? 412 : 409;
  if (error instanceof UsageError || error instanceof ZodError) return 422;
  if (error instanceof WarehouseError || error instanceof DestinationError) return 502;
  if (error instanceof SluiceError) return 422;
  const status = typeof error === "object" && error !== null && "statusCode" in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 600 ? status : 500;
}

function codeOf(error: unknown): string {
  if (error instanceof SluiceError || error instanceof DestinationError) return error.code;
  if (error instanceof ZodError) return "invalid_request";
  const status = statusOf(error);
  return status === 500 ? "internal_error" : "invalid_request";
}

function detailOf(error: Error): string {
  return error instanceof ZodError ? error.issues.map(({ message }) => message).join("; ") : error.message;
}
