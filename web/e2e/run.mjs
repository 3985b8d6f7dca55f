// A scripted run through the page in a real browser, against the server at BASE_URL. It prints every step, writes
// screenshots to OUT_DIR and exits non-zero at the first thing that is not as it should be.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import * as steps from "./steps.mjs";

const BASE_URL = process.env.BASE_URL ?? "http://localhost:8080";
const OUT_DIR = process.env.OUT_DIR ?? "e2e-out";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const STEP_TIMEOUT_MS = 15_000;
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 740 };

const order = [
  ["opens an account and saves its key", steps.openAccount],
  ["quotes a price that follows the settings", steps.followQuote],
  ["fills in and sends the form by keyboard alone", steps.createByKeyboard],
  ["shows progress and then the picture", steps.awaitPicture],
  ["creates from a Korean prompt", steps.createKorean],
  ["cancels a job and says what it cost", steps.cancelJob],
  ["finds images by words, Korean ones too", steps.searchImages],
  ["tags an image and marks it as a favourite", steps.markImage],
  ["downloads the picture", steps.downloadPicture],
  ["shows what the image cost, posting by posting", steps.readSettlement],
  ["filters by tag and by favourites", steps.filterImages],
  ["sorts images into a board, many at once, gives stars and keeps a search", steps.keepOrder],
  ["refills the form from an image", steps.reuseSettings],
  ["lists every movement of credits", steps.readStatement],
  ["speaks Korean", steps.speakKorean],
  ["deletes an image after asking", steps.deleteImage],
  ["keeps the session over a reload and forgets the key", steps.forgetKey],
];

await mkdir(OUT_DIR, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
const context = await browser.newContext({
  viewport: WIDE,
  locale: "en-GB",
  colorScheme: process.env.COLOR_SCHEME ?? "light",
});
const page = await context.newPage();
page.setDefaultTimeout(STEP_TIMEOUT_MS);
const complaints = [];
page.on("pageerror", (error) => complaints.push(`error in the page: ${error.message}`));
page.on("console", (message) => {
  if (/Content Security Policy|Warning:/i.test(message.text())) complaints.push(message.text());
});
page.on("request", (request) => {
  const { hostname, protocol } = new URL(request.url());
  const own = ["localhost", "127.0.0.1", new URL(BASE_URL).hostname].includes(hostname);
  if (protocol.startsWith("http") && !own) complaints.push(`external request: ${request.url()}`);
});

/** Takes the page as it is at both widths, and fails where a narrow screen would have to scroll sideways. */
async function shoot(name, inSight) {
  for (const [suffix, size] of Object.entries({ 1280: WIDE, 360: NARROW })) {
    await page.setViewportSize(size);
    await inSight?.scrollIntoViewIfNeeded();
    await page.waitForTimeout(250); // transitions
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    await page.screenshot({ path: join(OUT_DIR, `${name}-${suffix}.png`) });
    if (overflow > 0) throw new Error(`${name} is ${overflow} pixels too wide at ${suffix}`);
  }
  await page.setViewportSize(WIDE);
}

let failed = null;
for (const [name, run] of order) {
  const began = Date.now();
  try {
    const said = await run({ page, base: BASE_URL, shoot });
    if (complaints.length > 0) throw new Error(complaints.join("\n"));
    console.log(`ok    ${name} (${Date.now() - began} ms)${said ? `: ${said}` : ""}`);
  } catch (error) {
    failed = name;
    console.log(`FAIL  ${name}: ${error.stack ?? error}`);
    await page.screenshot({ path: join(OUT_DIR, "failed.png") });
    break;
  }
}
await browser.close();
console.log(failed ? `failed: ${failed}` : `${order.length} steps passed, screenshots in ${OUT_DIR}`);
process.exit(failed ? 1 : 0);
