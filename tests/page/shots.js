// Takes pictures of the page for people to look at: empty and busy, light and dark, wide and narrow.
//   node shots.js FOLDER
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { makeBusy, startBrowser, World } from "./world.js";

// Longer pictures are shown too small to judge.
const kPart = 1800;
const kPage = join(import.meta.dirname, "../../service/admin/page");
const folder = process.argv[2] ?? "shots";
mkdirSync(folder, { recursive: true });
const { browser, close } = await startBrowser();

async function shoot(world, name, scheme, width) {
  const page = await browser.newPage({ colorScheme: scheme, viewport: { width, height: width > 600 ? 900 : 844 } });
  page.on("console", (message) => console.log(name, message.type(), message.text()));
  page.on("pageerror", (error) => console.log(name, error.message));
  // As it is in the folder, not as it was built: for whoever works on it.
  await page.route(/\.(js|css|svg)$/, (route) => route.fulfill({ path: join(kPage, new URL(route.request().url()).pathname) }));
  await page.route(world.url, async (route) => route.fulfill({ response: await route.fetch(), path: join(kPage, "index.html") }));
  await page.goto(world.url);
  await page.locator("#connection", { hasText: "live" }).waitFor();
  await page.waitForTimeout(3500);
  for (const parked of await page.locator("#parked summary").all()) await parked.click();
  await page.waitForTimeout(500);
  await page.evaluate(() => (document.querySelector(".top").style.position = "static"));
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  for (let top = 0, part = 1; top < height; top += kPart, part++) {
    const clip = { x: 0, y: top, width, height: Math.min(kPart, height - top) };
    await page.screenshot({ path: join(folder, `${name}-${scheme}-${width}-${part}.png`), fullPage: true, clip });
  }
  await page.close();
}

const all = [["light", 1280], ["dark", 1280], ["light", 390], ["dark", 390]].filter(([scheme, width]) => !process.argv[4] || process.argv[4] === `${scheme}-${width}`);
for (const name of (process.argv[3] ?? "empty,busy").split(",")) {
  const world = await World.start({ sessions: name === "busy" });
  try {
    if (name === "busy") await makeBusy(world);
    for (const [scheme, width] of all) await shoot(world, name, scheme, width);
  } finally {
    await world.end();
  }
}
await close();
