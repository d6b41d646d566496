/** The value of one model column, as it is. */
import { z } from "zod";
import type { MappingKind } from "../src/mapping.ts";

const options = z.strictObject({
  column: z.string().min(1).max(255).meta({ description: "The model column." }),
});

const column: MappingKind<z.infer<typeof options>> = {
  name: "column",
  title: "The value of one model column, as it is.",
  options,

  columns({ column }) {
    return [column];
  },

  compile({ column }, context) {
    const { index, type } = context.column(column);
    return { type, evaluate: (cells) => cells[index] ?? null };
  },
};
export default column;
