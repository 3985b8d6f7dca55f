// The steps of the scripted run. Each takes the page as the step before left it and throws when something is wrong.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

const JOB_TIMEOUT_MS = 60_000;
const PROMPT = "A lighthouse on a basalt cliff at dawn, soft fog, oil painting";
const KOREAN = "달빛 아래 한옥 마을, 눈 내리는 겨울 밤";
const TAG = "sea light";

const available = async (page) => {
  const text = await page.getByTestId("balance").locator("dd").first().textContent();
  return Number(text.replaceAll(/\D/g, ""));
};

/** Polls until the value is right: what is shown follows the server with a delay. */
async function until(what, read, isRight, timeout = 10_000) {
  const end = Date.now() + timeout;
  let value = await read();
  while (!isRight(value)) {
    assert.ok(Date.now() < end, `${what}: still ${value}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    value = await read();
  }
  return value;
}

const go = (page, name) => page.getByRole("link", { name, exact: true }).click();
const quotedCredits = async (page) =>
  Number((await page.getByTestId("quote").locator("span").nth(1).textContent()).replaceAll(/\D/g, ""));
const dialog = (page) => page.getByRole("dialog");
const job = (page, prompt) => page.getByTestId("job").filter({ hasText: prompt });

async function settledQuote(page) {
  await page.waitForTimeout(500); // longer than the page waits after the last change
  await page.getByTestId("quote").waitFor();
  return quotedCredits(page);
}

export async function openAccount({ page, base, shoot }) {
  await page.goto(base);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await shoot("1-welcome");
  await page.getByLabel("What to call you").fill("e2e");
  await page.getByRole("button", { name: "Open an account" }).click();
  const secret = await page.getByTestId("secret").textContent();
  assert.match(secret, /^pv_/);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await until("the unsaved key stays", () => dialog(page).isVisible(), Boolean);
  await shoot("2-key");
  await page.getByRole("button", { name: "I have saved it" }).click();
  await dialog(page).waitFor({ state: "detached" });
  const credits = await until(
    "the first credits",
    () => available(page),
    (n) => n > 0,
  );
  return `${credits} credits`;
}

export async function followQuote({ page }) {
  const first = await settledQuote(page);
  await page.getByLabel("Images", { exact: true }).selectOption("3");
  const tripled = await settledQuote(page);
  assert.equal(tripled, first * 3);
  await page.getByText("Custom", { exact: true }).click();
  await page.getByLabel("Width").fill("1001");
  await page.getByLabel("Prompt", { exact: true }).fill("x");
  await page.getByRole("button", { name: /^Create/ }).press("Enter");
  await page.getByText("Must be a multiple of 8.").waitFor();
  assert.equal(await page.getByLabel("Width").getAttribute("aria-invalid"), "true");
  assert.ok(
    await page.getByLabel("Width").evaluate((input) => input === document.activeElement),
    "focus is on the bad field",
  );
  await page.getByLabel("Width").fill("2048");
  await page.getByLabel("Height").fill("2048");
  await page.getByLabel("Images", { exact: true }).selectOption("8");
  const dear = await settledQuote(page);
  assert.ok(dear > (await available(page)));
  await page.getByText("Not enough credits").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Create for/ }).getAttribute("aria-disabled"), "true");
  await page.getByText("Small", { exact: true }).click();
  await page.getByLabel("Images", { exact: true }).selectOption("1");
  const small = await settledQuote(page);
  await page.getByText("Square", { exact: true }).click();
  await page.getByLabel("Prompt", { exact: true }).fill("");
  await settledQuote(page);
  return `one ${first}, three ${tripled}, a small one ${small}, eight large ones ${dear}`;
}

export async function createByKeyboard({ page, shoot }) {
  await page.locator("body").evaluate((body) => {
    body.tabIndex = -1;
    body.focus();
  });
  await tabTo(page, "Prompt");
  await page.keyboard.type(PROMPT);
  await tabTo(page, "Size", "radio");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await tabTo(page, "More settings");
  await page.keyboard.press("Enter");
  await tabTo(page, "Seed");
  await page.keyboard.type("42");
  await tabTo(page, "Tags");
  await page.keyboard.type("coast, morning");
  const price = await settledQuote(page);
  await shoot("3-form");
  const before = await available(page);
  await tabTo(page, "Create for");
  await page.keyboard.press("Enter");
  await job(page, PROMPT).waitFor();
  const after = await until(
    "the balance",
    () => available(page),
    (n) => n !== before,
  );
  assert.equal(after, before - price, "the credits were taken exactly once");
  return `${before} − ${price} = ${after}`;
}

async function tabTo(page, name, type) {
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const e = document.activeElement;
      const label = e.labels?.[0]?.textContent ?? e.getAttribute("aria-label") ?? e.textContent;
      return { label: label?.trim() ?? "", type: e.type ?? "" };
    });
    if (type ? focused.type === type : focused.label.startsWith(name)) return;
  }
  throw new Error(`the keyboard does not reach ${name}`);
}

export async function awaitPicture({ page, shoot }) {
  const mine = job(page, PROMPT);
  const bar = mine.getByRole("progressbar");
  const seen = [];
  await until(
    "progress",
    async () => {
      const value = await bar.getAttribute("value", { timeout: 2000 }).catch(() => null);
      if (value !== null && seen.at(-1) !== Number(value)) seen.push(Number(value));
      return seen.length;
    },
    (n) => n >= 2,
    JOB_TIMEOUT_MS,
  );
  await shoot("4-running", mine);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
    "progress never falls",
  );
  await until(
    "the job",
    () => mine.getAttribute("data-status"),
    (s) => s === "succeeded",
    JOB_TIMEOUT_MS,
  );
  await assertLoaded(mine.locator("img"));
  await shoot("5-done", mine);
  return `progress ${seen.join(", ")} %`;
}

async function assertLoaded(image) {
  await image.first().waitFor();
  await until(
    "the picture",
    () => image.first().evaluate((img) => img.naturalWidth),
    (width) => width > 0,
  );
}

export async function createKorean({ page }) {
  await page.getByLabel("Prompt", { exact: true }).fill(KOREAN);
  await page.getByLabel("Tags").fill("한옥, 겨울");
  await page.getByLabel("Seed").fill("");
  await settledQuote(page);
  await page.getByRole("button", { name: /^Create for/ }).click();
  await until(
    "the job",
    () => job(page, KOREAN).getAttribute("data-status"),
    (s) => s === "succeeded",
    JOB_TIMEOUT_MS,
  );
}

export async function cancelJob({ page }) {
  const prompt = "A job that nobody wants any more";
  await page.getByLabel("Prompt", { exact: true }).fill(prompt);
  await page.getByLabel("Images", { exact: true }).selectOption("2");
  await settledQuote(page);
  await page.getByRole("button", { name: /^Create for/ }).click();
  const mine = job(page, prompt);
  await mine.getByText(/^Cancelling now/).waitFor();
  // A worker may take the job between what the page says and the click. What the page said last goes with the click, and
  // the server refuses to charge more: then the page says the new price, and it takes another click.
  await mine.getByText(/^Cancelling now/).waitFor();
  let agreed;
  for (let answered = false; !answered;) {
    const answer = page.waitForResponse((r) => r.url().includes("/cancel"));
    await mine.getByRole("button", { name: "Cancel" }).click();
    agreed = Number(new URL((await answer).url()).searchParams.get("charge_at_most"));
    answered = (await answer).ok();
    if (!answered) {
      await page.getByRole("alert").getByRole("button", { name: "Close" }).click();
      await mine.getByText(/^Cancelling now costs/).waitFor();
    }
  }
  const result = await mine.getByText(/^Cancelled: \d/).textContent();
  const charged = Number(/^Cancelled: (\d+) charged/.exec(result)[1]);
  assert.ok(charged <= agreed, `${charged} charged, ${agreed} agreed to`);
  return `at most ${agreed} → “${result}”`;
}

export async function searchImages({ page, shoot }) {
  await go(page, "Gallery");
  assert.ok(await page.getByRole("heading", { name: "Gallery" }).evaluate((h) => h === document.activeElement));
  const found = () => page.getByTestId("image").count();
  await until("all images", found, (n) => n === 2);
  await assertLoaded(page.getByTestId("image").locator("img"));
  await shoot("6-gallery");
  const search = page.getByLabel("Search prompts and tags");
  await search.fill("한옥");
  await until("the Korean image", found, (n) => n === 1);
  assert.ok((await page.getByTestId("image").textContent()).includes("한옥"));
  await search.fill("no such words anywhere");
  await page.getByText("Nothing matches").waitFor();
  await search.fill("lighthouse dawn");
  await until("the lighthouse", found, (n) => n === 1);
}

export async function markImage({ page }) {
  await page.getByRole("button", { name: /^Open image: A lighthouse/ }).click();
  await assertLoaded(dialog(page).locator("img"));
  await dialog(page).getByLabel("New tag").fill(TAG);
  await page.keyboard.press("Enter");
  await dialog(page).getByTestId("tags").getByText(TAG).waitFor();
  await dialog(page).getByRole("button", { name: "Add to favourites" }).click();
  await dialog(page).getByRole("button", { name: "Remove from favourites" }).waitFor();
}

export async function downloadPicture({ page }) {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    dialog(page).getByRole("button", { name: "Download" }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^img_.+\.png$/);
  const picture = await readFile(await download.path());
  assert.equal(picture.subarray(1, 4).toString("latin1"), "PNG");
  return `${download.suggestedFilename()}, ${picture.length} bytes`;
}

export async function readSettlement({ page, shoot }) {
  const settlement = dialog(page).getByTestId("settlement");
  const figure = async (name) =>
    Number((await settlement.locator(`[data-figure=${name}]`).textContent()).replaceAll(/\D/g, ""));
  const [quoted, reserved, settled, released] = [
    await figure("quoted"),
    await figure("reserved"),
    await figure("settled"),
    await figure("released"),
  ];
  assert.equal(reserved, 0);
  assert.equal(settled + released, quoted);
  await settlement.getByText("Postings").click();
  await settlement.getByRole("cell", { name: "Consumed" }).first().waitFor();
  await shoot("7-image");
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  const label = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  assert.match(label ?? "", /^Open image: A lighthouse/, "the focus is back where it was");
  return `quoted ${quoted}, charged ${settled}, given back ${released}`;
}

export async function filterImages({ page }) {
  const found = () => page.getByTestId("image").count();
  await page.getByLabel("Search prompts and tags").fill("");
  await until("all images", found, (n) => n === 2);
  await page.getByLabel("Favourites only").check();
  await until("the favourite", found, (n) => n === 1);
  await page.getByLabel("Favourites only").uncheck();
  await until("all images", found, (n) => n === 2);
  await page.getByLabel("Tag", { exact: true }).fill(TAG);
  await until("the tagged one", found, (n) => n === 1);
}

const BOARD = "Winter and sea";
const SEARCH = "The best ones";

export async function keepOrder({ page, shoot }) {
  const found = () => page.getByTestId("image").count();
  const board = page.getByRole("button", { name: new RegExp(`^${BOARD}`) });
  await page.getByLabel("Tag", { exact: true }).fill("");
  await until("all images", found, (n) => n === 2);
  await page.getByLabel("New board").fill(BOARD);
  await page.getByRole("button", { name: "Create board" }).click();
  await board.waitFor();

  await page.getByRole("button", { name: "Select images" }).click();
  await page.getByRole("button", { name: "Select all that match" }).click();
  await page.getByTestId("chosen").getByText("2 selected").waitFor();
  await page.getByLabel("Add to board").selectOption({ label: BOARD });
  await page.getByText("Changed 2 images.").waitFor();
  await board.getByText("2 images").waitFor();
  await assertLoaded(board.locator("img"));
  await shoot("10-boards");

  await page.getByRole("button", { name: /^Open image: A lighthouse/ }).click();
  await dialog(page).getByRole("button", { name: "4 stars" }).click();
  await dialog(page).getByRole("button", { name: "4 stars", pressed: true }).waitFor();
  await page.keyboard.press("Escape");
  await dialog(page).waitFor({ state: "detached" });
  await page.getByLabel("Stars").selectOption("3");
  await until("the one with stars", found, (n) => n === 1);
  await page.getByLabel("Name of the search").fill(SEARCH);
  await page.getByRole("button", { name: "Save this search" }).click();
  await page.getByRole("button", { name: `Forget it: ${SEARCH}` }).waitFor();
  await page.getByLabel("Stars").selectOption("0");
  await until("all images", found, (n) => n === 2);
  await page.getByLabel("Use a saved search").selectOption({ label: SEARCH });
  await until("what the search finds", found, (n) => n === 1);
  await page.getByLabel("Stars").selectOption("0");

  await board.click();
  await until("the images of the board", found, (n) => n === 2);
  await page.getByRole("button", { name: "Delete board" }).click();
  await board.waitFor({ state: "detached" });
  await until("all images", found, (n) => n === 2);
}

export async function reuseSettings({ page }) {
  await page.getByRole("button", { name: /^Open image: A lighthouse/ }).click();
  await dialog(page).getByRole("button", { name: "Use these settings" }).click();
  await page.getByRole("heading", { name: "New image" }).waitFor();
  assert.equal(await page.getByLabel("Prompt", { exact: true }).inputValue(), PROMPT);
  assert.equal(await page.getByLabel("Seed").inputValue(), "42");
}

export async function readStatement({ page, shoot }) {
  await go(page, "Statement");
  const lines = page.getByTestId("line");
  const kinds = () => lines.evaluateAll((rows) => rows.map((row) => row.dataset.kind));
  const all = await until("the lines", kinds, (k) => k.length >= 7);
  assert.equal(all.at(-1), "granted");
  assert.equal(all.filter((k) => k === "reserved").length, 3);
  await shoot("8-statement");
  await lines.filter({ hasText: "Charged" }).first().getByRole("button").click();
  await dialog(page).getByTestId("settlement").waitFor();
  await page.keyboard.press("Escape");
  return all.toReversed().join(", ");
}

export async function speakKorean({ page, shoot }) {
  await page.getByRole("button", { name: "한국어" }).click();
  await page.getByRole("heading", { name: "이용 내역" }).waitFor();
  assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  await go(page, "만들기");
  await page.getByRole("heading", { name: "새 이미지" }).waitFor();
  await shoot("9-korean");
  await page.getByRole("button", { name: "EN" }).click();
}

export async function deleteImage({ page }) {
  await go(page, "Gallery");
  await page.getByLabel("Tag", { exact: true }).fill("");
  const open = page.getByRole("button", { name: /^Open image: 달빛/ });
  await open.click();
  await dialog(page).getByRole("button", { name: "Delete" }).click();
  await dialog(page).getByRole("button", { name: "Keep it" }).click();
  await dialog(page).getByRole("button", { name: "Delete" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await dialog(page).waitFor({ state: "detached" });
  await open.waitFor({ state: "detached" });
}

export async function forgetKey({ page }) {
  await page.reload();
  await page.getByRole("heading", { name: "Gallery" }).waitFor();
  await page.getByRole("button", { name: "Forget key" }).click();
  await dialog(page).getByRole("button", { name: "Forget key" }).click();
  await page.getByRole("heading", { name: /Make images/ }).waitFor();
  assert.equal(await page.evaluate(() => localStorage.getItem("pingvas.key")), null);
}
