// The npm package: packed and unpacked into a project of somebody else's, it can be imported as an ES module, and its
// types reach a program that is checked against it.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const PACKAGE = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const DEPENDENCIES = ["@bufbuild", "@grpc", "@types", "undici-types"];
const STRICT = [
  "--strict",
  "--module",
  "NodeNext",
  "--target",
  "ES2022",
  "--noEmit",
  "--skipLibCheck",
  "--types",
  "node",
];

let project: string;

before(() => {
  project = mkdtempSync(join(tmpdir(), "aulm-package-"));
  const options = { cwd: PACKAGE, encoding: "utf8" } as const;
  execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", project], options);
  const [tarball] = readdirSync(project);
  const scope = join(project, "node_modules/@aulm");
  mkdirSync(scope, { recursive: true });
  execFileSync("tar", ["-xzf", join(project, tarball!), "-C", scope]);
  execFileSync("mv", [join(scope, "package"), join(scope, "gateway-client")]);
  for (const name of DEPENDENCIES)
    symlinkSync(join(PACKAGE, "node_modules", name), join(project, "node_modules", name));
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
});

after(() => {
  rmSync(project, { recursive: true, force: true });
});

function typeCheck(file: string): { status: number | null; output: string } {
  const tsc = join(PACKAGE, "node_modules/typescript/bin/tsc");
  const run = spawnSync(process.execPath, [tsc, ...STRICT, file], { cwd: project, encoding: "utf8" });
  return { status: run.status, output: run.stdout };
}

void test("the package has what it exports and nothing of its tests", () => {
  const files = readdirSync(join(project, "node_modules/@aulm/gateway-client"), { recursive: true }) as string[];
  for (const name of ["dist/src/index.js", "dist/src/index.d.ts", "dist/src/v1.js", "README.md"]) {
    assert.ok(files.includes(name), name);
  }
  assert.deepEqual(
    files.filter((name) => name.includes(".test.")),
    [],
  );
});

void test("it can be imported", () => {
  const program = 'import { GatewayClient } from "@aulm/gateway-client"; console.log(typeof GatewayClient);';
  const run = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    cwd: project,
    encoding: "utf8",
  });
  assert.equal(run.stdout, "function\n", run.stderr);
});

void test("the quickstart has its types, and a wrong program has its errors", () => {
  copyFileSync(join(PACKAGE, "examples/quickstart.ts"), join(project, "quickstart.ts"));
  const right = typeCheck("quickstart.ts");
  assert.equal(right.status, 0, right.output);
  writeFileSync(
    join(project, "wrong.ts"),
    'import { GatewayClient } from "@aulm/gateway-client";\nnew GatewayClient({ target: 1 });\n',
  );
  assert.match(typeCheck("wrong.ts").output, /Type 'number' is not assignable to type 'string'/);
});
