/** Where files go, in which form, and which columns they have. */
import { z } from "zod";

const text = z.string().min(1);

/** A path of plain names: nothing that leads upwards, to a root, or to a hidden file. */
const path = z.string().regex(/^(?!\.)[\w.-]+(?:\/(?!\.)[\w.-]+)*$/, "names and slashes, such as exports/crm");

/** Both are parts of the address that is asked. */
const bucketName = z.string().regex(/^[a-z\d][a-z\d.-]{1,61}[a-z\d]$/, "small letters, digits, dots and hyphens");
const regionName = z.string().regex(/^[a-z\d-]{1,40}$/, "such as eu-central-1");

export const columnTypes = ["text", "number", "integer", "boolean", "date", "datetime", "json"] as const;

/** Columns of the service's own, in every file. */
export const ownColumns = ["_operation", "_batch"] as const;

const object = z.strictObject({
  title: text.optional(),
  fields: z
    .record(text, z.enum(columnTypes))
    .refine((fields) => Object.keys(fields).length > 0, "at least one column")
    .refine(
      (fields) => {
        const names = [...ownColumns, ...Object.keys(fields)].map((name) => name.toLowerCase());
        return new Set(names).size === names.length;
      },
      `names that differ in more than their case, and none of ${ownColumns.join(", ")}`,
    ),
});

export type FileObject = z.output<typeof object>;

export const connection = z
  .strictObject({
    folder: path.optional().meta({
      description: "A folder of this machine, below the one that SLUICE_FILES_DIR names. Instead of a bucket.",
    }),
    bucket: bucketName.optional().meta({ description: "A bucket of S3, or of storage that speaks its protocol." }),
    prefix: path.optional().meta({ description: "What the keys of its files begin with." }),
    region: regionName.default("us-east-1").meta({ description: "The bucket's region." }),
    access_key_id: text.optional().meta({ description: "The id of a key that may list and put objects there." }),
    secret_access_key: text.optional().meta({ secret: true, description: "Its secret." }),
    session_token: text.optional().meta({ secret: true, description: "Of a temporary key." }),
    base_url: z.url().optional().meta({ description: "The address of storage that is not Amazon's, or of a sandbox." }),
    format: z.enum(["csv", "parquet"]).meta({ description: "The form of the files." }),
    guard_formulas: z.boolean().default(true).meta({
      description: "In CSV, an apostrophe goes before texts that a spreadsheet would take for a formula.",
    }),
    objects: z
      .record(z.string().regex(/^[A-Za-z0-9][\w.-]*$/, "a name that can be a folder"), object)
      .meta({ description: "The kinds of files, each with its columns and their types." }),
  })
  .refine(({ folder, bucket }) => (folder === undefined) !== (bucket === undefined), {
    message: "Give either a folder or a bucket.",
  })
  .refine(
    ({ bucket, access_key_id: id, secret_access_key: secret }) =>
      bucket === undefined || (id !== undefined && secret !== undefined),
    { message: "A bucket needs access_key_id and secret_access_key." },
  );

export type FilesConfig = z.output<typeof connection>;

/** The folder, or the bucket and where in it. */
export function placeOf({ folder, bucket, prefix = "", region, base_url }: FilesConfig): string {
  if (bucket === undefined) return `folder ${folder}`;
  return `${base_url ?? `s3 ${region}`} ${bucket}/${prefix}`;
}
