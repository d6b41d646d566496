/** The kinds of document and the set of them that makes a workspace. */
import { destinationSchema } from "./destination.ts";
import type { DestinationDocument } from "./destination.ts";
import { modelSchema } from "./model.ts";
import type { ModelDocument } from "./model.ts";
import { notificationSchema } from "./notification.ts";
import type { NotificationDocument } from "./notification.ts";
import { segmentSchema } from "./segment.ts";
import type { SegmentDocument } from "./segment.ts";
import { sourceSchema } from "./source.ts";
import type { SourceDocument } from "./source.ts";
import { syncSchema } from "./sync.ts";
import type { SyncDocument } from "./sync.ts";
import { triggerSchema } from "./trigger.ts";
import type { TriggerDocument } from "./trigger.ts";

/** Every kind's schema, in the order in which kinds build on each other. */
export const schemas = {
  source: sourceSchema,
  model: modelSchema,
  segment: segmentSchema,
  destination: destinationSchema,
  sync: syncSchema,
  trigger: triggerSchema,
  notification: notificationSchema,
} as const;

export interface DocumentOf {
  readonly source: SourceDocument;
  readonly model: ModelDocument;
  readonly segment: SegmentDocument;
  readonly destination: DestinationDocument;
  readonly sync: SyncDocument;
  readonly trigger: TriggerDocument;
  readonly notification: NotificationDocument;
}

export type Kind = keyof DocumentOf;
export type WorkspaceDocument = DocumentOf[Kind];

export const kinds: readonly Kind[] = ["source", "model", "segment", "destination", "sync", "trigger", "notification"];

export function isKind(value: unknown): value is Kind {
  return kinds.some((kind) => kind === value);
}

/** The documents of a workspace, by kind and name. */
export interface Documents {
  readonly sources: ReadonlyMap<string, SourceDocument>;
  readonly models: ReadonlyMap<string, ModelDocument>;
  readonly segments: ReadonlyMap<string, SegmentDocument>;
  readonly destinations: ReadonlyMap<string, DestinationDocument>;
  readonly syncs: ReadonlyMap<string, SyncDocument>;
  readonly triggers: ReadonlyMap<string, TriggerDocument>;
  readonly notifications: ReadonlyMap<string, NotificationDocument>;
}

/** Sorts documents by kind and name. Of two with the same kind and name the later one is kept. */
export function collect(all: Iterable<WorkspaceDocument>): Documents {
  const sources = new Map<string, SourceDocument>();
  const models = new Map<string, ModelDocument>();
  const segments = new Map<string, SegmentDocument>();
  const destinations = new Map<string, DestinationDocument>();
  const syncs = new Map<string, SyncDocument>();
  const triggers = new Map<string, TriggerDocument>();
  const notifications = new Map<string, NotificationDocument>();
  for (const document of all) {
    switch (document.kind) {
      case "source":
        sources.set(document.name, document);
        break;
      case "model":
        models.set(document.name, document);
        break;
      case "segment":
        segments.set(document.name, document);
        break;
      case "destination":
        destinations.set(document.name, document);
        break;
      case "sync":
        syncs.set(document.name, document);
        break;
      case "trigger":
        triggers.set(document.name, document);
        break;
      case "notification":
        notifications.set(document.name, document);
        break;
    }
  }
  return { sources, models, segments, destinations, syncs, triggers, notifications };
}

/** All documents of a workspace as a list, those that others build on first. */
export function listOf(documents: Documents): WorkspaceDocument[] {
  const { sources, models, segments, destinations, syncs, triggers, notifications } = documents;
  const all = [sources, models, segments, destinations, syncs, triggers, notifications];
  return all.flatMap((some): WorkspaceDocument[] => [...some.values()]);
}
