// Usage: node validate.mjs FILE. Prints what is wrong with an AsyncAPI document; exits with 1 if it is invalid.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const ERROR = 0;
const { diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const errors = diagnostics.filter(({ severity }) => severity === ERROR);
for (const { message, path } of errors) console.log(`${path.join(".")}: ${message}`);
process.exit(errors.length ? 1 : 0);
