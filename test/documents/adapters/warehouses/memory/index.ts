/** A warehouse that tests of documents connect to on paper only. */
import { z } from "zod";
import type { WarehouseAdapter } from "../../../../../src/warehouse.ts";

const connection = z.strictObject({
  account: z.string().min(1),
  password: z.string().optional().meta({ secret: true }),
});

const memory: WarehouseAdapter<z.infer<typeof connection>> = {
  type: "memory",
  title: "Memory",
  connection,
  connect() {
    throw new Error("documents are checked without a connection");
  },
};
export default memory;
