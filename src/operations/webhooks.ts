/** Takes webhook deliveries: proves each one, and asks for the run that its trigger wants. */
import type { TriggerDocument } from "../documents/trigger.ts";
import { triggerSchema } from "../documents/trigger.ts";
import { valuesAt } from "../documents/json-path.ts";
import { resolveSync } from "../documents/resolve.ts";
import { resolveSecrets } from "../documents/secrets.ts";
import { SluiceError, UsageError } from "../errors.ts";
import type { TakenDelivery } from "../store/hooks.ts";
import type { Run } from "../store/run.ts";
import { type Delivery, verify, type Verified } from "../triggers/verify.ts";
import { storedDocuments } from "./documents.ts";
import { namedKeys } from "./named-keys.ts";
import type { GivenKey } from "./operations.ts";
import type { TriggerView } from "./schemas.ts";
import { knownTo } from "./secrets.ts";
import type { Service } from "./service.ts";

/** What became of a delivery. `refused` says nothing of why: neither the address nor the signature is to be tried out. */
export type Taken =
  | { readonly status: "refused" }
  | { readonly status: "accepted"; readonly trigger: string; readonly sync: string; readonly run: string }
  /** It had come before, or its payload names no row. */
  | { readonly status: "duplicate" | "empty"; readonly trigger: string; readonly sync: string; readonly run: null };

/** Resolves when what the delivery asks for is in the control store, and not before. */
export type TakeDelivery = (hook: string, delivery: Delivery) => Promise<Taken>;

interface Waiting {
  readonly trigger: TriggerDocument;
  readonly id: Verified["id"];
  readonly keys: readonly GivenKey[];
  readonly settle: PromiseWithResolvers<Run | null>;
}

/** Deliveries that one transaction takes, and those that may wait for one. */
const most = { together: 500, waiting: 5000 } as const;

/**
 * Takes deliveries. Those of one trigger that come while the store is being written to are written together, so that a
 * burst costs few transactions.
 */
export function takeDeliveries(service: Service, ring: ((runId: string) => Promise<void>) | null): TakeDelivery {
  const queues = new Map<string, Waiting[]>();
  const lookups = new Map<string, Promise<TriggerDocument | null>>();
  let waiting = 0;

  async function drain(name: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, most.together);
      waiting -= batch.length;
      try {
        await store(batch);
      } catch (error) {
        for (const { settle } of batch) settle.reject(error);
      }
    }
    queues.delete(name);
  }

  async function store(batch: readonly Waiting[]): Promise<void> {
    const trigger = batch.at(-1)?.trigger;
    if (trigger === undefined) return;
    const { name, sync } = trigger;
    const spec = resolveSync(await storedDocuments(service), sync, await service.registry.mappingKinds());
    const named = batch.flatMap((one) => withKeys(one, spec.spec.model.key));
    const kind = trigger.keys === undefined ? (trigger.run ?? "changes") : "keys";
    const taken = named.map(({ delivery }) => delivery);
    const run = await service.store.hooks.take(name, taken, { sync, kind, trigger: `webhook ${name}`, spec });
    for (const { settle } of named) settle.resolve(run);
    // Told, not waited for: the run is stored, and a queue that is away is made up for.
    if (run) void ring?.(run.id);
  }

  function enqueue(one: Omit<Waiting, "settle">): Promise<Run | null> {
    if (waiting >= most.waiting) throw new SluiceError("too_many_deliveries", "Too many deliveries wait already.");
    const settle = Promise.withResolvers<Run | null>();
    const { name } = one.trigger;
    const queue = queues.get(name);
    waiting += 1;
    if (queue) queue.push({ ...one, settle });
    else {
      const started = [{ ...one, settle }];
      queues.set(name, started);
      void drain(name, started);
    }
    return settle.promise;
  }

  /** Deliveries to one address that come together are one look into the store. */
  async function find(hook: string): Promise<TriggerDocument | null> {
    const underWay = lookups.get(hook);
    if (underWay) return await underWay;
    const lookup = findTrigger(hook, service).finally(() => lookups.delete(hook));
    lookups.set(hook, lookup);
    return await lookup;
  }

  return async (hook, delivery) => {
    const trigger = await find(hook);
    const verified = verify(await verificationOf(trigger, service), delivery, service.clock.now());
    if (trigger === null || verified === null) return { status: "refused" };
    const { name, sync } = trigger;
    const keys = trigger.keys === undefined ? [] : keysIn(delivery.body, trigger.keys);
    if (trigger.keys !== undefined && keys.length === 0) return { status: "empty", trigger: name, sync, run: null };
    const run = await enqueue({ trigger, id: verified.id, keys });
    if (run === null) return { status: "duplicate", trigger: name, sync, run: null };
    return { status: "accepted", trigger: name, sync, run: run.id };
  };
}

/** The triggers with the addresses of their webhooks. */
export async function listTriggers(service: Service): Promise<readonly TriggerView[]> {
  const { triggers } = await storedDocuments(service);
  return await Promise.all(
    [...triggers.values()].map(async ({ name, sync, webhook, run, keys }) => ({
      trigger: name,
      sync,
      scheme: webhook.scheme,
      run: keys === undefined ? (run ?? "changes") : "keys",
      keys: keys ?? null,
      path: `/hooks/${await service.store.hooks.idOf(name)}`,
    })),
  );
}

async function findTrigger(hook: string, { store }: Service): Promise<TriggerDocument | null> {
  const body = await store.hooks.find(hook);
  const read = triggerSchema.safeParse(body);
  return read.success ? read.data : null;
}

/** An address that is nobody's is checked like any other, against nothing that could be right. */
async function verificationOf(
  trigger: TriggerDocument | null,
  service: Service,
): Promise<Parameters<typeof verify>[0]> {
  if (trigger === null) return { scheme: "hmac_sha256", header: "x-signature", secrets: [service.worker] };
  const { scheme, header, url, secrets } = trigger.webhook;
  const { resolved } = resolveSecrets(
    { kind: "trigger", name: trigger.name, connection: { resolved: secrets } },
    await knownTo(secrets, service),
  );
  return { scheme, header, url, secrets: Array.isArray(resolved) ? resolved.map(String) : [] };
}

/** The delivery with its keys as texts; one whose keys are not such as the model has is told so by itself. */
function withKeys(
  { id, keys, settle }: Waiting,
  columns: readonly string[],
): readonly { readonly delivery: TakenDelivery; readonly settle: Waiting["settle"] }[] {
  try {
    return [{ delivery: { id, keys: namedKeys(keys, columns) }, settle }];
  } catch (error) {
    settle.reject(error);
    return [];
  }
}

/** The keys that a payload has at a path. A whole number keeps every digit, also those that JavaScript's would lose. */
function keysIn(body: Buffer, path: string): readonly GivenKey[] {
  let payload: unknown;
  try {
    payload = JSON.parse(body.toString("utf8"), exactly);
  } catch (cause) {
    throw new UsageError("payload_invalid", "The body is not JSON.", { cause });
  }
  return valuesAt(path, payload).map((key) => {
    const parts: readonly unknown[] = Array.isArray(key) ? key : [key];
    if (parts.every(isKeyPart)) return Array.isArray(key) ? parts : (parts[0] ?? "");
    throw new UsageError("payload_invalid", `What the payload has at ${path} does not name a row.`, {
      hint: "Each must be a text, a number or a boolean, or a list of such for a key of several columns.",
    });
  });
}

function isKeyPart(value: unknown): value is string | number | boolean {
  if (typeof value === "string") return value.isWellFormed() && !value.includes("\0") && value.length <= 1000;
  return typeof value === "number" || typeof value === "boolean";
}

function exactly(_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const isInexact = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return isInexact ? (context?.source ?? value) : value;
}
