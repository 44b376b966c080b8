// Checks pages with axe-core in headless Chromium: `node check.mjs PAGE.html...`; exit code 1 when a rule is broken.
//
// Every page is looked at wide and narrow, light and dark. The page needs no script, so a copy of it gets axe-core and
// a few lines that write what axe found into the document, which Chromium then prints. Chromium is taken from
// $CHROMIUM, else `chromium`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const chromium = process.env.CHROMIUM || "chromium";
const looks = [
  { name: "wide, light", width: 1280, scheme: 1 },
  { name: "wide, dark", width: 1280, scheme: 0 },
  { name: "narrow, light", width: 500, scheme: 1 },
  { name: "narrow, dark", width: 500, scheme: 0 },
];
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const run = `
axe.run(document, { runOnly: ${JSON.stringify(tags)} }).then((found) => {
  const out = document.createElement("pre");
  out.id = "axe-found";
  const short = (rule) => ({ id: rule.id, help: rule.help, nodes: rule.nodes.map((node) => node.html.slice(0, 160)) });
  out.textContent = encodeURIComponent(JSON.stringify({
    passes: found.passes.map((rule) => rule.id),
    violations: found.violations.map(short),
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  }));
  document.body.append(out);
});`;

const pages = process.argv.slice(2);
if (pages.length === 0) {
  console.error("no page given");
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), "axe-"));
let broken = 0;
try {
  for (const page of pages) {
    // A function as replacement: axe's source holds `$&`, which a plain text would take for a pattern.
    const scripts = `<script>${axe}</script><script>${run}</script></body>`;
    const copy = join(folder, "page.html");
    writeFileSync(copy, readFileSync(page, "utf8").replace("</body>", () => scripts));
    for (const look of looks) broken += check(page, copy, look);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(broken > 0 ? 1 : 0);

function check(page, copy, look) {
  const given = [
    "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=60000",
    `--user-data-dir=${join(folder, "profile")}`, `--window-size=${look.width},1000`,
    `--blink-settings=preferredColorScheme=${look.scheme}`, `file://${copy}`,
  ];
  const printed = spawnSync(chromium, given, { encoding: "utf8", maxBuffer: 1 << 28, timeout: 120000 });
  const found = /<pre id="axe-found">([^<]*)<\/pre>/.exec(printed.stdout ?? "");
  if (!found) {
    console.error(`${page} (${look.name}): axe did not finish: ${printed.error ?? printed.stderr}`);
    return 1;
  }
  const { passes, violations, dark } = JSON.parse(decodeURIComponent(found[1]));
  if (dark !== (look.scheme === 0)) {
    console.error(`${page} (${look.name}): the colour scheme was not taken`);
    return 1;
  }
  console.log(`${page} (${look.name}): ${passes.length} rules held, ${violations.length} broken`);
  for (const rule of violations) {
    console.log(`  ${rule.id}: ${rule.help}`);
    for (const node of rule.nodes.slice(0, 5)) console.log(`    ${node}`);
  }
  return violations.length;
}
