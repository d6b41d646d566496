/** The destination's own id of another record: a contact's company. */
import { z } from "zod";
import { lookupColumn, type MappingKind } from "../src/mapping.ts";

const options = z.strictObject({
  lookup: z.string().min(1).meta({ description: "The sync that sends those records to the same destination." }),
  by: z.string().min(1).max(255).meta({ description: "The model column that holds the key of that sync's row." }),
});

const lookup: MappingKind<z.infer<typeof options>> = {
  name: "lookup",
  title: "The destination's own id of the record that another sync has sent for a key.",
  options,
  // A record that is not there yet is no reason to cut a tie that there may be.
  whenNull: "skip",

  columns({ lookup: sync, by }) {
    return [lookupColumn(sync, by)];
  },

  compile({ lookup: sync, by }, context) {
    const { index, type } = context.column(lookupColumn(sync, by));
    return { type, evaluate: (cells) => cells[index] ?? null };
  },
};
export default lookup;
