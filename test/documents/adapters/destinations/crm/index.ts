/** A destination that tests of documents connect to on paper only. */
import { z } from "zod";
import type { DestinationAdapter } from "../../../../../src/destination.ts";

const connection = z.strictObject({
  access_token: z.string().min(1).meta({ secret: true }),
  region: z.enum(["eu", "us"]).optional(),
  port: z.int().optional(),
  base_url: z.url().optional(),
});

const crm: DestinationAdapter<z.infer<typeof connection>> = {
  type: "crm",
  title: "CRM",
  connection,
  limits: () => [],
  connect() {
    throw new Error("documents are checked without a connection");
  },
};
export default crm;
