// The admin page as people meet it: what it shows of a gateway at rest and at work, by keyboard, by screen reader, on a
// narrow screen, in the dark, and that it asks nobody else for anything.
import assert from "node:assert/strict";
import { request } from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";

import { kPatience, kSession, makeBusy, startBrowser, World } from "./world.js";

const kAxe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let chromium;
before(async () => {
  chromium = await startBrowser();
  assert.ok(chromium, "no chromium");
});
after(() => chromium?.close());

/** A page of the world's that is live, and everything that went wrong in it. */
async function open(world, options = {}) {
  const context = await chromium.browser.newContext({ bypassCSP: false, viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(kPatience);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(error.message));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.faults.push(message.text()));
  page.on("request", (each) => each.url().startsWith(world.url) || page.faults.push(`asked for ${each.url()}`));
  await page.goto(world.url);
  await page.locator("#connection", { hasText: "live" }).waitFor();
  return page;
}

// axe runs by the debugger, not by the page: its policy stays as it is.
async function violations(page) {
  await page.context().addInitScript({ path: kAxe });
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.locator("main").waitFor();
  await other.locator("#connection, #token").first().waitFor();
  if (await other.locator("#connection").count()) await other.locator("#connection", { hasText: "live" }).waitFor();
  for (const summary of await other.locator("summary").all()) await summary.click();
  const found = await other.evaluate(async () => {
    const result = await globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
    return result.violations.map((each) => `${each.id}: ${each.nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ")}`);
  });
  await other.close();
  return found;
}

const overflows = (page) => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

describe("a gateway at rest", () => {
  let world;
  before(async () => (world = await World.start({ sessions: false })));
  after(() => world?.end());

  test("says that it is ready, and of each part that there is nothing yet", async () => {
    const page = await open(world);
    await page.locator("#ready", { hasText: /^ready$/ }).waitFor();
    for (const part of ["sessions", "quotas", "lanes", "subscriptions", "streams", "tail", "webhook", "aulm"]) {
      await page.locator(`#${part}-empty`).waitFor();
    }
    assert.equal(await page.locator("#problems").isVisible(), false);
    assert.deepEqual(page.faults, []);
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      test(`is accessible, ${colorScheme}, ${width} wide`, async () => {
        const page = await open(world, { colorScheme, viewport: { width, height: 800 } });
        assert.deepEqual(await violations(page), []);
        assert.equal(await overflows(page), false);
      });
    }
  }

  test("shows its settings, without secrets", async () => {
    const page = await open(world);
    await page.getByText("The settings in force").click();
    await page.locator("#configuration-text", { hasText: '"pacing"' }).waitFor();
    const text = await page.locator("#configuration-text").textContent();
    assert.ok(!text.includes("alm_sk_live_simulator") && !text.includes("whsec_simulator"), text);
  });

  test("goes by keyboard: the first stop leads past the navigation", async () => {
    const page = await open(world);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement.id)) === "pause") break;
    }
    await page.keyboard.press("Enter");
    assert.equal(await page.locator("#pause").getAttribute("aria-pressed"), "true");
  });

  test("forbids everything that is not its own", async () => {
    const answer = await fetch(world.url);
    const policy = answer.headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|http/);
    const html = await answer.text();
    assert.doesNotMatch(html, / style=| on[a-z]+=|<style|https?:/);
    assert.equal(answer.headers.get("cache-control"), "no-store");
  });

  test("changes nothing and is nobody else's", async () => {
    for (const path of ["", "live", "events", "parked", "configuration", "page.js"]) {
      assert.equal((await fetch(world.url + path, { method: "POST" })).status, 405, path);
    }
    const { hostname, port } = new URL(world.url);
    const status = await new Promise((resolve, reject) => {
      request({ hostname, port, headers: { host: "evil.example" } }, (answer) => resolve(answer.resume().statusCode)).on("error", reject).end();
    });
    assert.equal(status, 403);
  });

  test("refuses more pages than it has room for, and health goes on", async () => {
    const ended = new AbortController();
    const answers = [];
    // Up to the first refusal: a page that an earlier test closed may make room after it.
    while (answers.length < 20 && answers.at(-1) !== 503) {
      answers.push((await fetch(`${world.url}live`, { signal: ended.signal })).status);
    }
    assert.ok(answers.includes(200) && answers.at(-1) === 503, `${answers}`);
    assert.equal((await fetch(`${world.url}livez`)).status, 200);
    ended.abort();
    await world.until(async () => {
      const again = new AbortController();
      const answer = await fetch(`${world.url}live`, { signal: again.signal });
      again.abort();
      return answer.status === 200;
    });
  });
});

describe("a gateway at work", () => {
  let world;
  before(async () => {
    world = await World.start();
    await makeBusy(world);
  });
  after(() => world?.end());

  test("shows sessions, quota, queues, streams and subscriptions", async () => {
    const page = await open(world);
    const rows = page.locator("#sessions-rows tr");
    await rows.filter({ hasText: kSession }).getByText("connected", { exact: true }).waitFor();
    await rows.filter({ hasText: "…000000000002" }).or(rows.filter({ hasText: "000000000002" })).getByText("disconnected").waitFor();
    await rows.filter({ hasText: "000000000003" }).getByText("awaiting scan").waitFor();
    await page.getByRole("meter", { name: "Quota of default" }).waitFor();
    await page.locator("#lanes-rows tr").filter({ hasText: "cold" }).first().waitFor();
    await page.locator("#subscriptions-rows tr", { hasText: "bot" }).waitFor();
    await page.locator("#streams-rows tr").nth(2).waitFor();
    await page.locator("#problems li", { hasText: "bot has 2 parked events" }).waitFor();
    await page.getByRole("img", { name: /^Events a second over the last five minutes: now/ }).waitFor();
    assert.deepEqual(page.faults, []);
  });

  test("shows events as they come, the numbers masked, and never a body", async () => {
    const page = await open(world);
    const first = page.locator("#tail-rows tr").first();
    await first.waitFor();
    const old = await first.textContent();
    await page.waitForFunction((text) => document.querySelector("#tail-rows tr").textContent !== text, old);
    const text = await page.locator("body").textContent();
    assert.match(text, /\+966…/);
    assert.doesNotMatch(text, /\+?9665\d{6,}|are you there/);
  });

  test("filters events, and pauses", async () => {
    const page = await open(world);
    const kinds = page.locator("#tail-rows .tag");
    await page.locator("#filter-type").selectOption({ label: "status" });
    await page.waitForFunction(() => {
      const tags = [...document.querySelectorAll("#tail-rows .tag")];
      return tags.length > 0 && tags.every((tag) => tag.textContent === "status");
    });
    await page.locator("#filter-type").selectOption({ label: "unknown" });
    await page.locator("#tail-rows", { hasText: "group_joined" }).waitFor();
    assert.equal(await kinds.count(), 1);
    await page.getByRole("button", { name: "Clear" }).click();
    await page.locator("#tail-rows .tag.message").first().waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    const paused = await page.locator("#tail-rows tr").first().textContent();
    await page.locator("#tail-note", { hasText: "newer not shown" }).waitFor();
    assert.equal(await page.locator("#tail-rows tr").first().textContent(), paused);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator("#tail-note", { hasText: "Showing" }).waitFor();
    assert.deepEqual(page.faults, []);
  });

  test("looks for events by the end of a number", async () => {
    const page = await open(world);
    await page.locator("#filter-peer").fill("5678");
    await page.locator("#filter-peer").press("Enter");
    await page.waitForFunction(() => {
      const rows = [...document.querySelectorAll("#tail-rows tr")];
      return rows.length >= 2 && rows.every((row) => row.textContent.includes("…78"));
    });
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`is accessible, ${colorScheme}`, async () => {
      const page = await open(world, { colorScheme });
      assert.deepEqual(await violations(page), []);
    });
  }

  test("fits a narrow screen", async () => {
    const page = await open(world, { viewport: { width: 390, height: 844 } });
    await page.locator("#tail-rows tr").first().waitFor();
    for (const summary of await page.locator("summary").all()) await summary.click();
    await page.locator("#parked-list tbody tr").first().waitFor();
    assert.equal(await overflows(page), false);
  });

  test("lists parked events with the command that replays them", async () => {
    const page = await open(world);
    await page.getByText("bot: 2 parked").click();
    await page.locator("#parked-list tbody tr").nth(1).waitFor();
    const [tool, ...words] = (await page.locator("#parked-list tbody code").first().textContent()).split(" ");
    assert.equal(tool, "aulmctl");
    assert.equal(await world.aulmctl(...words).ended, 0);
    await page.getByText("bot: 1 parked").waitFor();
    await page.locator("#parked-list tbody tr").nth(1).waitFor({ state: "detached" });
    const [, ...all] = (await page.locator("#parked-list > details > .command code").textContent()).split(" ");
    assert.equal(await world.aulmctl(...all).ended, 0);
    await page.locator("#parked").waitFor({ state: "hidden" });
  });

  test("gives a caller's own subscription its command with the caller's token", async () => {
    const page = await open(world);
    const commands = await page.evaluate(async () => {
      const { subscriptionCommand } = await import("/format.js");
      return [subscriptionCommand("replay", "shop/bot", "--all"), subscriptionCommand("parked", "bot")];
    });
    assert.deepEqual(commands, ["aulmctl --token-file shop.token subscriptions replay bot --all", "aulmctl subscriptions parked bot"]);
  });

  test("says so when the gateway goes away, and comes back with it", async () => {
    const page = await open(world);
    await world.stopGateway();
    await page.locator("#connection", { hasText: "connection lost" }).waitFor();
    await world.startGateway();
    await page.locator("#connection", { hasText: /^live$/ }).waitFor();
    await page.locator("#tail-rows tr").first().waitFor();
  });
});

describe("a gateway that asks for a token", () => {
  const kToken = "open sesame";
  let world;
  before(async () => (world = await World.start({ token: kToken, sessions: false })));
  after(() => world?.end());

  const signInPage = async (options) => {
    const context = await chromium.browser.newContext({ viewport: { width: 390, height: 700 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(kPatience);
    await page.goto(world.url);
    return page;
  };

  test("shows nothing without it but health and metrics", async () => {
    for (const path of ["", "live", "events", "parked", "configuration"]) {
      assert.equal((await fetch(world.url + path)).status, 401, path);
      const wrong = await fetch(world.url + path, { headers: { authorization: "Bearer open" } });
      assert.equal(wrong.status, 401, path);
    }
    for (const path of ["livez", "readyz", "metrics"]) assert.equal((await fetch(world.url + path)).status, 200, path);
    const answer = await fetch(`${world.url}configuration`, { headers: { authorization: `Bearer ${kToken}` } });
    assert.equal(answer.status, 200);
  });

  test("lets in who types it, until they sign out", async () => {
    const page = await signInPage();
    await page.getByLabel("Token").fill("open");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel("Token").fill(kToken);
    await page.keyboard.press("Enter");
    await page.locator("#connection", { hasText: "live" }).waitFor();
    const [cookie] = await page.context().cookies();
    assert.ok(cookie.httpOnly && cookie.sameSite === "Strict" && !cookie.value.includes("sesame"), JSON.stringify(cookie));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token").waitFor();
    assert.deepEqual(await page.context().cookies(), []);
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`its form is accessible, ${colorScheme}`, async () => {
      const page = await signInPage({ colorScheme });
      assert.deepEqual(await violations(page), []);
      assert.equal(await overflows(page), false);
    });
  }
});
