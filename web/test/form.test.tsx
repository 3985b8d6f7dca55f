import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createApp } from "../src/state/app";
import { AppProvider } from "../src/ui/context";
import { CreatePage } from "../src/views/CreatePage";
import {
  generationOf,
  json,
  memoryStorage,
  model,
  pretend,
  problem,
  quoteOf,
  type Answer,
  type Request,
} from "./server";

let quotes: (() => Answer)[];
let creates: (() => Answer)[];
let balance: number;

beforeEach(() => {
  quotes = [];
  creates = [];
  balance = 100;
});
afterEach(cleanup);

function answer(request: Request): Answer {
  switch (`${request.method} ${request.path}`) {
    case "GET /v1/models":
      return json({ price_book: "1", data: [model] });
    case "GET /v1/plans":
      return json({ data: [] });
    case "GET /v1/settlement-policy":
      return json({ version: "1", rules: [] });
    case "POST /v1/quotes":
      return (quotes.shift() ?? (() => json(quoteOf(4))))();
    case "POST /v1/generations":
      return (creates.shift() ?? (() => json(generationOf(), 201)))();
    case "GET /v1/balance":
      return json({
        at: "",
        available: balance,
        reserved: 0,
        consumed: 0,
        expired: 0,
        scheduled: 0,
        granted: 100,
        credit_line: 0,
        credit_line_used: 0,
        grants: [
          {
            grant: "g",
            source: "plan",
            priority: 0,
            amount: 100,
            available: balance,
            reserved: 0,
            consumed: 0,
            effective_at: "",
          },
        ],
      });
    default:
      return json(generationOf({ status: "succeeded", version: 3 }));
  }
}

async function openForm() {
  const { fetch, requests } = pretend(answer);
  const app = createApp({ fetch, storage: memoryStorage(), sleep: () => Promise.resolve() });
  await app.catalogue.getState().load();
  await app.credits.getState().refresh();
  render(
    <AppProvider value={app}>
      <CreatePage />
    </AppProvider>,
  );
  const sent = (path: string) => requests.filter((r) => r.method === "POST" && r.path === path);
  const user = userEvent.setup();
  await screen.findByRole("button", { name: /Create for/ });
  return { app, user, sent };
}

const button = (name: RegExp) => screen.getByRole("button", { name });

describe("the form", () => {
  test("asks once for the price after the last change and sends the quote with the purchase", async () => {
    const { user, sent } = await openForm();
    quotes.push(() => json(quoteOf(12, "q3")));
    await user.selectOptions(screen.getByLabelText("Images"), "2");
    await user.selectOptions(screen.getByLabelText("Images"), "3");
    await screen.findByRole("button", { name: "Create for 12 credits" });
    expect(sent("/v1/quotes").map((r) => r.body)).toMatchObject([{ count: 1 }, { count: 3 }]);
    await user.type(screen.getByLabelText("Prompt"), "a lighthouse");
    await user.click(await screen.findByRole("button", { name: "Create for 4 credits" }));
    await waitFor(() => expect(sent("/v1/generations")).toHaveLength(1));
    expect(sent("/v1/generations")[0]?.body).toMatchObject({ prompt: "a lighthouse", count: 3, quote: "q1" });
    await screen.findByText("Done");
  });

  test("marks what is missing, moves the focus there and sends nothing", async () => {
    const { user, sent } = await openForm();
    await user.click(button(/Create for/));
    const prompt = screen.getByLabelText("Prompt");
    expect(prompt.getAttribute("aria-invalid")).toBe("true");
    expect(document.activeElement).toBe(prompt);
    const described = prompt.getAttribute("aria-describedby")?.split(" ") ?? [];
    const texts = described.map((id) => document.getElementById(id)?.textContent);
    expect(texts).toContain("Please fill this in.");
    expect(sent("/v1/generations")).toHaveLength(0);
  });

  test("asks again at the new price when the quote has run out", async () => {
    const { user, sent } = await openForm();
    await user.type(screen.getByLabelText("Prompt"), "a lighthouse");
    await screen.findByRole("button", { name: "Create for 4 credits" });
    creates.push(() => problem(409, "quote-expired"));
    quotes.push(() => json(quoteOf(5, "q2")));
    await user.click(button(/Create for 4/));
    await screen.findByText(/The price is now 5 credits/);
    expect(sent("/v1/generations")).toHaveLength(1);
    await user.click(button(/Create for 5/));
    await waitFor(() => expect(sent("/v1/generations")).toHaveLength(2));
    const [first, second] = sent("/v1/generations");
    expect(second?.body).toMatchObject({ quote: "q2" });
    expect(second?.headers.get("Idempotency-Key")).not.toBe(first?.headers.get("Idempotency-Key"));
  });

  test("says before sending that the credits do not suffice", async () => {
    balance = 3;
    const { user, sent } = await openForm();
    await screen.findByText("Not enough credits: this needs 4, you can spend 3.");
    await user.type(screen.getByLabelText("Prompt"), "a lighthouse");
    await screen.findByRole("button", { name: /Create for/ });
    expect(button(/Create for/).getAttribute("aria-disabled")).toBe("true");
    await user.click(button(/Create for/));
    expect(sent("/v1/generations")).toHaveLength(0);
  });

  test("shows what the server refuses at its field", async () => {
    const { user } = await openForm();
    await user.type(screen.getByLabelText("Prompt"), "a lighthouse");
    await screen.findByRole("button", { name: /Create for/ });
    creates.push(() => problem(400, "invalid-request", { errors: [{ pointer: "/seed", detail: "must be less odd" }] }));
    await user.click(button(/Create for/));
    await screen.findByText("must be less odd");
    const seed = screen.getByLabelText("Seed");
    expect(seed.getAttribute("aria-invalid")).toBe("true");
    expect(seed.closest("details")?.open).toBe(true);
    expect(document.activeElement).toBe(seed);
  });
});
