/** What every command is made of. */
import type { Command } from "commander";
import type { Face } from "./face.ts";

/** Adds a command to the program; it says with `end` how it ended, if not well. */
export type AddCommand = (program: Command, face: Face, end: (exitCode: number) => void) => void;

/** 0 done, 1 failed, 2 wrong use, 3 done with rejections, 4 held at the gate. */
export const exitCodes = { done: 0, failed: 1, usage: 2, rejections: 3, held: 4 } as const;
