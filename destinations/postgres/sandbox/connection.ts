/** One connection to the sandbox: who it is, then its statements, one after the other, and the faults that strike them. */
import type { Socket } from "node:net";
import type { SandboxListener } from "../../../src/sandbox.ts";
import type { SandboxDatabase } from "./database.ts";
import {
  askForPassword,
  codeOf,
  codes,
  fatal,
  type Message,
  MessageReader,
  passwordOf,
  query,
  startupOf,
  stateAfter,
  statementOf,
  welcome,
} from "./wire.ts";

export interface Account {
  readonly user: string;
  readonly password: string;
}

/** Ends of what a client sends before it waits: a Query or a Sync. */
const ends = new Set(["Q", "S"]);

export class SandboxConnection {
  readonly #socket: Socket;
  readonly #account: Account;
  readonly #database: SandboxDatabase;
  readonly #listener: SandboxListener;
  readonly #reader = new MessageReader();
  #user: string | undefined;
  #isWelcome = false;
  #asked: Message[] = [];
  #endTurn: (() => void) | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(socket: Socket, account: Account, database: SandboxDatabase, listener: SandboxListener) {
    this.#socket = socket;
    this.#account = account;
    this.#database = database;
    this.#listener = listener;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("close", () => void this.#then(() => this.#forget()));
  }

  /** Resolves when nothing of it goes on in the database. */
  async ended(): Promise<void> {
    this.#socket.destroy();
    await this.#then(() => this.#forget());
  }

  #take(chunk: Buffer): void {
    for (const message of this.#reader.read(chunk)) {
      if (!this.#isWelcome) this.#begin(message);
      else if (message.type === "X") this.#socket.end();
      else {
        this.#asked.push(message);
        if (!ends.has(message.type)) continue;
        const asked = this.#asked;
        this.#asked = [];
        void this.#then(() => this.#answer(asked));
      }
    }
  }

  #begin(message: Message): void {
    if (message.type === "p") return this.#login(passwordOf(message));
    const code = codeOf(message);
    if (code === codes.tls) return void this.#socket.write("N");
    if (code !== codes.startup) return void this.#socket.destroy();
    this.#user = startupOf(message)["user"];
    this.#reader.started();
    this.#socket.write(askForPassword);
  }

  #login(password: string): void {
    const { user, password: right } = this.#account;
    if (this.#user !== user || password !== right) {
      this.#socket.end(fatal("28P01", `password authentication failed for user "${this.#user}"`));
      return;
    }
    this.#isWelcome = true;
    this.#socket.write(welcome(1));
  }

  #then(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch(() => void this.#socket.destroy());
    return this.#work;
  }

  async #answer(asked: readonly Message[]): Promise<void> {
    const statement = asked.map(statementOf).find((text) => text !== undefined) ?? "";
    const told = { method: /\w+/.exec(statement)?.[0].toLowerCase() ?? "", path: statement };
    const fault = this.#listener.strike(told);
    const note = (): void =>
      this.#listener.note({ ...told, query: {}, requestBody: null, status: null, responseBody: null });
    if (fault?.kind === "hang") return;
    if (fault?.kind === "drop_before") return void this.#socket.destroy();
    if (fault?.kind === "delay") await new Promise((resolve) => setTimeout(resolve, fault.ms));
    this.#endTurn ??= await this.#database.take();
    note();
    const answer = fault?.kind === "error" ? await this.#fail(fault.code, fault.message) : await this.#answered(asked);
    if (fault?.kind === "drop_after") return void this.#socket.destroy();
    this.#socket.write(answer);
    if (fault?.kind === "error" && fault.cut) this.#socket.end();
  }

  async #answered(messages: readonly { readonly bytes: Uint8Array }[]): Promise<Uint8Array> {
    const answers: Uint8Array[] = [];
    for (const { bytes } of messages) answers.push(await this.#database.answer(bytes));
    const answer = Buffer.concat(answers);
    if (stateAfter(answer) === "I") await this.#leave();
    return answer;
  }

  /** A failure of the database's own, so that it also fails the transaction. */
  #fail(code: string, words: string): Promise<Uint8Array> {
    const raise = `raise exception using errcode = '${quoted(code)}', message = '${quoted(words)}'`;
    return this.#answered([{ bytes: query(`do $sandbox$ begin ${raise}; end $sandbox$`) }]);
  }

  async #leave(): Promise<void> {
    await this.#database.look();
    this.#endTurn?.();
    this.#endTurn = undefined;
  }

  /** What was not committed is undone. */
  async #forget(): Promise<void> {
    if (this.#endTurn) await this.#answered([{ bytes: query("rollback") }]);
  }
}

const quoted = (text: string): string => text.replaceAll("'", "''");
