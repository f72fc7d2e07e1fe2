// The conformance table, in TypeScript.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CaseRun, type ConformanceCase } from "./conformance-case.js";

const file = join(import.meta.dirname, "../../conformance/cases.json");
const table = JSON.parse(readFileSync(file, "utf8")) as {
  sessions: Record<string, string>;
  excluded: Record<string, string>;
  cases: ConformanceCase[];
};
for (const name of Object.keys(table.excluded)) {
  if (!table.cases.some((each) => each.name === name)) throw new Error(`excluded: there is no case ${name}`);
}
for (const each of table.cases) {
  const skip = table.excluded[each.name];
  void test(each.name, { skip: skip ?? false, timeout: 90_000 }, () => CaseRun.run(each, table.sessions));
}
