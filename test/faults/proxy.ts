/** A network that misbehaves: a TCP proxy on loopback that cuts, delays, slices and withholds bytes, by a seed. */
import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../simulation/chance.ts";

/** What happens to every chunk of bytes that passes. */
export interface Weather {
  /** The chance that its connection is cut instead, in both directions. */
  readonly cut: number;
  /** The most that it is delayed. */
  readonly delayMs: number;
  /** The most bytes that pass in one piece. */
  readonly sliceBytes: number;
}

const calm: Weather = { cut: 0, delayMs: 0, sliceBytes: Infinity };

/** Stands between the service and one thing that it talks to. Bytes keep their order, and none is invented. */
export class Proxy implements AsyncDisposable {
  /** Connections that it has cut so far. */
  cuts = 0;
  readonly #server: Server;
  readonly #chance: Chance;
  /** Cuts each connection that is open. */
  readonly #open = new Set<() => void>();
  #weather = calm;

  private constructor(server: Server, chance: Chance) {
    this.#server = server;
    this.#chance = chance;
  }

  /** Listens on a port of its own for what is meant for `to`. It is calm at first. */
  static async open(to: string, chance: Chance): Promise<Proxy> {
    const { hostname, port } = new URL(to);
    const server = createServer((near) => proxy.#join(near, connect(Number(port), hostname)));
    const proxy = new Proxy(server, chance);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  /** The same address, but through this proxy. */
  through(address: string): string {
    const url = new URL(address);
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href.replace(/\/$/, address.endsWith("/") ? "/" : "");
  }

  /** Begins by cutting all that is open. */
  storm(weather: Weather): void {
    this.#weather = weather;
    this.cuts += this.#open.size;
    for (const cut of this.#open) cut();
  }

  calm(): void {
    this.#weather = calm;
  }

  #join(near: Socket, far: Socket): void {
    const cut = (): void => {
      this.#open.delete(cut);
      near.destroy();
      far.destroy();
    };
    this.#open.add(cut);
    const forget = (): void => {
      if (near.destroyed && far.destroyed) this.#open.delete(cut);
    };
    for (const socket of [near, far]) socket.setNoDelay(true).on("error", cut).on("close", forget);
    void this.#carry(near, far, cut);
    void this.#carry(far, near, cut);
  }

  async #carry(from: Socket, to: Socket, cut: () => void): Promise<void> {
    try {
      for await (const chunk of from) await this.#pass(chunk as Buffer, to);
      to.end();
    } catch {
      cut();
    }
  }

  async #pass(chunk: Buffer, to: Socket): Promise<void> {
    const { cut, delayMs, sliceBytes } = this.#weather;
    if (this.#chance.happens(cut)) {
      this.cuts += 1;
      // A part of it has arrived.
      to.write(chunk.subarray(0, Math.floor(chunk.length * this.#chance.next())));
      throw new Error("cut");
    }
    const step = Math.min(chunk.length, sliceBytes);
    for (let at = 0; at < chunk.length; at += step) {
      if (delayMs > 0) await sleep(this.#chance.next() * delayMs);
      if (to.destroyed) throw new Error("gone");
      if (!to.write(chunk.subarray(at, at + step))) await Promise.race([once(to, "drain"), once(to, "close")]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const cut of this.#open) cut();
    await closed;
  }
}
