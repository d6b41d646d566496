/** The messages of Postgres's protocol, version 3, as far as a server needs to know them. */

export interface Message {
  /** One letter; empty for the first message of a connection, which has none. */
  readonly type: string;
  /** All of it, its letter and length included. */
  readonly bytes: Buffer;
}

/** Cuts what a connection sends into messages. */
export class MessageReader {
  #rest = Buffer.alloc(0);
  #isStarted = false;

  /** After the startup message each one begins with a letter. */
  started(): void {
    this.#isStarted = true;
  }

  *read(chunk: Buffer): Generator<Message> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.#isStarted ? 1 : 0;
      if (this.#rest.length < head + 4) return;
      const length = head + this.#rest.readInt32BE(head);
      if (this.#rest.length < length) return;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      yield { type: bytes.toString("latin1", 0, head), bytes };
    }
  }
}

export const codes = { startup: 196_608, tls: 80_877_103, cancel: 80_877_102 } as const;

/** The number that a connection begins with. */
export const codeOf = ({ bytes }: Message): number => bytes.readInt32BE(4);

/** The names and values of a startup message, such as its user. */
export function startupOf({ bytes }: Message): Readonly<Record<string, string>> {
  const parts = bytes.toString("utf8", 8).split("\0");
  const pairs = parts.flatMap((part, at) =>
    at % 2 === 0 && part !== "" ? [[part, parts[at + 1] ?? ""] as const] : [],
  );
  return Object.fromEntries(pairs);
}

/** The text of a password message. */
export const passwordOf = ({ bytes }: Message): string => bytes.toString("utf8", 5, bytes.length - 1);

/** The statement of a Query or a Parse message; undefined for any other. */
export function statementOf({ type, bytes }: Message): string | undefined {
  if (type === "Q") return bytes.toString("utf8", 5, bytes.length - 1);
  if (type !== "P") return undefined;
  const from = bytes.indexOf(0, 5) + 1;
  return bytes.toString("utf8", from, bytes.indexOf(0, from));
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.from(`${type}\0\0\0\0`, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => bytes.writeInt32BE(value, at * 4));
  return bytes;
}

export const askForPassword = message("R", numbers(3));

/** That the password was right, whose connection it is, and that it may begin. */
export function welcome(id: number): Buffer {
  return Buffer.concat([
    message("R", numbers(0)),
    message("S", text("server_version"), text("17.5")),
    message("S", text("client_encoding"), text("UTF8")),
    message("S", text("standard_conforming_strings"), text("on")),
    message("K", numbers(id, id)),
    message("Z", Buffer.from("I")),
  ]);
}

/** An end of the connection, with its reason. */
export function fatal(code: string, words: string): Buffer {
  const fields = [`SFATAL`, `VFATAL`, `C${code}`, `M${words}`].map(text);
  return message("E", ...fields, Buffer.from([0]));
}

/** A Query message. */
export const query = (sql: string): Buffer => message("Q", text(sql));

/** In what state a transaction is after an answer: I none, T open, E failed. Undefined: the answer has no end yet. */
export function stateAfter(answer: Uint8Array): string | undefined {
  const end = Buffer.from(answer.subarray(-6));
  return end.length === 6 && end.toString("latin1", 0, 1) === "Z" ? end.toString("latin1", 5) : undefined;
}
