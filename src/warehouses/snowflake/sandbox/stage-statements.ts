/** PUT, GET, LIST and REMOVE. The bytes go between the driver and the stage's own address, as with a cloud's storage. */
import { rm } from "node:fs/promises";
import { insufficientPrivileges, syntaxError } from "./failure.ts";
import { type ResultSet, smallResult } from "./results.ts";
import { fullRowType } from "./rowtype.ts";
import { settings } from "./sql/text.ts";
import type { StagePlace, Stages } from "./stages.ts";

export interface StageContext {
  readonly stages: Stages;
  readonly user: string;
  readonly schema: string;
  readonly readOnly: boolean;
  /** Where the stages' files are served. */
  readonly url: string;
  /** What the files' address wants to see. */
  readonly token: string;
}

/** What the driver is told before it moves files by itself. */
export type Transfer = Readonly<Record<string, unknown>>;

const where = String.raw`('@[^']*'|@\S+)`;

/** The path under which stages' files are served, the first part of what the driver takes for a bucket. */
export const bucket = "_stages";

export async function put(sql: string, context: StageContext): Promise<Transfer> {
  const [, source = "", written = "", rest = ""] =
    new RegExp(String.raw`^put\s+('file:\/\/[^']*'|file:\/\/\S+)\s+${where}(.*)$`, "is").exec(sql) ?? [];
  if (written === "") throw syntaxError("PUT wants 'file://…' @stage");
  const place = context.stages.place(written, context);
  if (context.readOnly && !place.own) throw insufficientPrivileges(`stage '${written}'`);
  await context.stages.folder(place.stage);
  const options = settings(rest);
  return {
    command: "UPLOAD",
    src_locations: [source.replaceAll(/^'|'$/g, "").replace(/^file:\/\//, "")],
    autoCompress: isTrue(options.get("AUTO_COMPRESS") ?? "true"),
    sourceCompression: (options.get("SOURCE_COMPRESSION") ?? "auto_detect").toLowerCase(),
    overwrite: isTrue(options.get("OVERWRITE") ?? "false"),
    parallel: Number(options.get("PARALLEL") ?? 4),
    stageInfo: stageInfo(place, folderPath(place.path), context),
    presignedUrls: [],
    encryptionMaterial: null,
  };
}

export function get(sql: string, context: StageContext): Transfer {
  const [, written = "", target = ""] =
    new RegExp(String.raw`^get\s+${where}\s+('file:\/\/[^']*'|file:\/\/\S+)`, "is").exec(sql) ?? [];
  if (written === "") throw syntaxError("GET wants @stage 'file://…'");
  const place = context.stages.place(written, context);
  return {
    command: "DOWNLOAD",
    src_locations: context.stages.files(place).map(({ path }) => path),
    localLocation: target.replaceAll(/^'|'$/g, "").replace(/^file:\/\//, ""),
    parallel: 4,
    stageInfo: stageInfo(place, "", context),
    presignedUrls: [],
    encryptionMaterial: null,
  };
}

export function list(sql: string, context: StageContext): ResultSet {
  const place = context.stages.place(stageOf(sql), context);
  const rows = context.stages
    .files(place)
    .map(({ path, size, modified }) => [shownPath(place, path), String(size), null, modified.toUTCString()]);
  const size = fullRowType({ name: "size", type: "fixed", precision: 38, scale: 0 });
  return smallResult([textColumn("name"), size, textColumn("md5"), textColumn("last_modified")], rows);
}

export async function remove(sql: string, context: StageContext): Promise<ResultSet> {
  const place = context.stages.place(stageOf(sql), context);
  if (context.readOnly && !place.own) throw insufficientPrivileges("the stage");
  const files = context.stages.files(place);
  for (const file of files) await rm(context.stages.fullPath(place, file));
  return smallResult(
    [textColumn("name"), textColumn("result")],
    files.map(({ path }) => [shownPath(place, path), "removed"]),
  );
}

function stageInfo({ stage }: StagePlace, path: string, { url, token }: StageContext): Transfer {
  return {
    locationType: "GCS",
    location: `${bucket}/${stage}/${path}`,
    path,
    region: "loopback",
    storageAccount: null,
    isClientSideEncrypted: false,
    endPoint: url,
    creds: { GCS_ACCESS_TOKEN: token },
  };
}

function folderPath(path: string): string {
  return path === "" || path.endsWith("/") ? path : `${path}/`;
}

function shownPath({ stage, own }: StagePlace, path: string): string {
  return own
    ? path
    : `${
        stage
          .replace(/^stage-/, "")
          .split(".")
          .at(-1)
          ?.toLowerCase() ?? ""
      }/${path}`;
}

function stageOf(sql: string): string {
  const written = new RegExp(String.raw`^\w+\s+${where}`, "is").exec(sql)?.[1];
  if (written === undefined) throw syntaxError("a stage such as @~/folder/ is missing");
  return written;
}

export function textColumn(name: string): ReturnType<typeof fullRowType> {
  return fullRowType({ name, type: "text", length: 16_777_216 });
}

function isTrue(text: string): boolean {
  return text.toLowerCase() === "true";
}
