/** A sync's mapping by itself: the part of its document that RevOps change most. */
import { isRecord } from "../documents/value-at.ts";
import { NotFoundError } from "../errors.ts";
import { bodyAt, change, documentVersions, getDocument } from "./edit.ts";
import type { ChangeOptions, Mapping, MappingOperations } from "./operations.ts";
import type { DocumentVersionView, DocumentView, MappingView } from "./schemas.ts";
import type { Service } from "./service.ts";

/** The operations on syncs' mappings. */
export function mappingOperations(service: Service): MappingOperations {
  return {
    get: (sync) => getMapping(sync, service),
    put: (sync, mapping, options) => putMapping(sync, mapping, options, service),
    versions: (sync) => mappingVersions(sync, service),
    restore: (sync, version, options) => restoreMapping(sync, version, options, service),
  };
}

async function getMapping(sync: string, service: Service): Promise<MappingView> {
  return mappingView(await getDocument("sync", sync, service));
}

/** Replaces match and fields; the rest of the sync stays. */
async function putMapping(
  sync: string,
  { match, fields }: Mapping,
  options: ChangeOptions,
  service: Service,
): Promise<MappingView> {
  // Names the sync that was likely meant.
  await getDocument("sync", sync, service);
  const changed = await change("sync", sync, (present) => ({ ...present?.body, match, fields }), options, service);
  return mappingView(changed);
}

async function mappingVersions(sync: string, service: Service): Promise<readonly DocumentVersionView[]> {
  const versions = await documentVersions("sync", sync, service);
  return versions.flatMap((version) => {
    const changes = version.changes.filter(({ pointer }) => /^\/(match|fields)(\/|$)/.test(pointer));
    return changes.length === 0 ? [] : [{ ...version, changes }];
  });
}

async function restoreMapping(
  sync: string,
  version: number,
  options: ChangeOptions,
  service: Service,
): Promise<MappingView> {
  const { match, fields } = await bodyAt("sync", sync, version, service);
  return await putMapping(sync, { match, fields }, options, service);
}

function mappingView({ name, version, managed_by, document }: DocumentView): MappingView {
  const { match = {}, fields = {} } = document;
  if (!isRecord(match) || !isRecord(fields)) throw new NotFoundError("not_found", `The sync "${name}" has no mapping.`);
  return { sync: name, version, managed_by, match: { ...match }, fields: { ...fields } };
}
