/** Decides which addresses may be dialled. The address that is checked is the one that is dialled. */
import { isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** The address is private, or the URL is not one to send a credential to. */
export class RefusedAddress extends Error {
  override readonly name = "RefusedAddress";
}

/**
 * Ports of services that are no web servers, or that answer anybody who reaches them: a request there would be an attack
 * by way of us. The first lines are the Fetch Standard's bad ports that a server may have; then databases and clusters.
 */
const refusedPorts: ReadonlySet<string> = new Set(
  (
    "1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123 135 " +
    "137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995 " +
    "1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080 " +
    "445 1433 1521 2375 2376 2379 2380 3306 3389 5432 5672 6379 6380 9042 9092 9200 9300 10250 11211 26379 27017"
  ).split(" "),
);

/** What is judged of a server before it is dialled. */
export interface GuardedServer {
  readonly host: string;
  readonly port: number;
  readonly usualPort: number;
  /** Undefined: none. */
  readonly tls?: unknown;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export class AddressGuard {
  readonly #all: boolean;
  readonly #hosts: ReadonlySet<string>;
  readonly #ranges: readonly [Address, number][];

  /**
   * `allowed`: host names, addresses and CIDR ranges that may be reached although they are not public; `*` allows all of
   * them. `host:port` also allows a port that is otherwise refused.
   */
  constructor(allowed: readonly string[]) {
    this.#all = allowed.includes("*");
    this.#ranges = allowed.flatMap((entry) => toRange(entry));
    this.#hosts = new Set(allowed.map((entry) => entry.toLowerCase()));
  }

  /** Why a URL is refused before anything is resolved, if it is. */
  refusal(url: URL): RefusedAddress | null {
    if (url.username !== "" || url.password !== "")
      return new RefusedAddress("its address has a user name or password in it");
    if (this.#isOtherService(url.port, url.host)) return otherService(url.port);
    if (url.protocol === "https:") return null;
    if (url.protocol !== "http:") return new RefusedAddress(`its address begins with ${url.protocol}, not with https:`);
    if (this.#mayGoPlain(url.hostname.replace(/^\[|\]$/g, ""))) return null;
    return new RefusedAddress(`${url.host} would be asked without TLS; use https:`);
  }

  /** The same of a server that speaks another protocol, on whose own port it may be. */
  refusalOfServer({ host, port, usualPort, tls }: GuardedServer): RefusedAddress | null {
    const place = `${isIPv6(host) ? `[${host}]` : host.toLowerCase()}:${port}`;
    if (port !== usualPort && this.#isOtherService(String(port), place)) return otherService(String(port));
    if (tls !== undefined || this.#mayGoPlain(host)) return null;
    return new RefusedAddress(`${place} would be asked without TLS`);
  }

  #isOtherService(port: string, place: string): boolean {
    return refusedPorts.has(port) && !this.#hosts.has(place);
  }

  #mayGoPlain(host: string): boolean {
    return this.#isAllowedHost(host) || host === "localhost" || isLoopback(host);
  }

  /** The addresses to dial, in order, if all that a name resolves to may be dialled. Throws RefusedAddress. */
  check(name: string, addresses: readonly string[]): readonly [string, ...string[]] {
    for (const address of addresses) {
      if (this.#isAllowedHost(name) || this.#mayDial(address)) continue;
      throw new RefusedAddress(
        `${name} is at ${address}, which is not a public address. SLUICE_ALLOW_ADDRESSES can allow it.`,
      );
    }
    const [first, ...others] = addresses;
    if (first === undefined) throw new RefusedAddress(`${name} has no address`);
    return [first, ...others];
  }

  #isAllowedHost(name: string): boolean {
    return this.#all || this.#hosts.has(name.toLowerCase());
  }

  #mayDial(text: string): boolean {
    const address = parse(text);
    if (address === null) return false;
    if (this.#ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits)))
      return true;
    return isPublic(address);
  }
}

/** IPv4 inside IPv6 is judged as the IPv4 that it is. */
function parse(text: string): Address | null {
  if (!ipaddr.isValid(text)) return null;
  return ipaddr.process(text);
}

/** Of IPv6 only 2000::/3 is given out: what lies outside, such as `::127.0.0.1`, may be a private address in disguise. */
function isPublic(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  return address.kind() === "ipv4" || address.match(globalUnicast);
}

const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");

function isLoopback(host: string): boolean {
  return parse(host)?.range() === "loopback";
}

function otherService(port: string): RefusedAddress {
  return new RefusedAddress(`port ${port} is that of another kind of service`);
}

function toRange(entry: string): [Address, number][] {
  try {
    if (entry.includes("/")) return [ipaddr.parseCIDR(entry)];
    const address = parse(entry);
    return address === null ? [] : [[address, address.kind() === "ipv4" ? 32 : 128]];
  } catch {
    return [];
  }
}
