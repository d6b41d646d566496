/** Decides which addresses may be dialled. The address that is checked is the one that is dialled. */
import ipaddr from "ipaddr.js";

/** The address is private, or the URL is not one to send a credential to. */
export class RefusedAddress extends Error {
  override readonly name = "RefusedAddress";
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export class AddressGuard {
  readonly #all: boolean;
  readonly #hosts: ReadonlySet<string>;
  readonly #ranges: readonly [Address, number][];

  /** `allowed`: host names, addresses and CIDR ranges that may be reached although they are not public; `*` allows all. */
  constructor(allowed: readonly string[]) {
    this.#all = allowed.includes("*");
    this.#ranges = allowed.flatMap((entry) => toRange(entry));
    this.#hosts = new Set(allowed.map((entry) => entry.toLowerCase()));
  }

  /** Why a URL is refused before anything is resolved, if it is. */
  refusal(url: URL): RefusedAddress | null {
    if (url.username !== "" || url.password !== "")
      return new RefusedAddress("its address has a user name or password in it");
    if (url.protocol === "https:") return null;
    if (url.protocol !== "http:") return new RefusedAddress(`its address begins with ${url.protocol}, not with https:`);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (this.#isAllowedHost(host) || host === "localhost" || isLoopback(host)) return null;
    return new RefusedAddress(`${url.host} would be asked without TLS; use https:`);
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

function toRange(entry: string): [Address, number][] {
  try {
    if (entry.includes("/")) return [ipaddr.parseCIDR(entry)];
    const address = parse(entry);
    return address === null ? [] : [[address, address.kind() === "ipv4" ? 32 : 128]];
  } catch {
    return [];
  }
}
