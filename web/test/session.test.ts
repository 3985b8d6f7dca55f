import { expect, test, vi } from "vitest";
import { ApiError } from "../src/api/problem";
import type { Account, OpenedAccount } from "../src/api/schema";
import { createSession } from "../src/state/session";
import { memoryStorage } from "./server";

const account: Account = { id: "acc_1", plan: "free", tier: "free", slots: 4, credit_line: 0, opened_at: "" };
const made = { id: "key_1", prefix: "pv_1", name: "", created_at: "" };

function sessionWith(opened: OpenedAccount, getAccount = () => Promise.resolve(account)) {
  const storage = memoryStorage();
  const onChange = vi.fn<() => void>();
  const session = createSession({ storage, openAccount: () => Promise.resolve(opened), getAccount, onChange });
  return { session, storage, onChange };
}

test("a new account shows its key until it is saved, and the browser keeps it", async () => {
  const { session, storage } = sessionWith({ account, api_key: { ...made, secret: "pv_secret" } });
  await session.getState().open("  ");
  expect(session.getState()).toMatchObject({ account, key: "pv_secret", secret: "pv_secret" });
  session.getState().acknowledge();
  expect(session.getState().secret).toBeNull();
  expect(storage.getItem("pingvas.key")).toBe("pv_secret");
});

test("an account whose key got lost on the way is said to be lost", async () => {
  const { session, storage } = sessionWith({ account, api_key: made });
  await session.getState().open("me");
  expect(session.getState()).toMatchObject({ account: null, lost: true, busy: false });
  expect(storage.length).toBe(0);
});

test("a pasted key is kept only once it was accepted", async () => {
  const refused = sessionWith({ account }, () => Promise.reject(new ApiError("unauthenticated", 401, null)));
  await refused.session.getState().paste("pv_bad");
  expect(refused.session.getState()).toMatchObject({ account: null, error: { status: 401 } });
  expect(refused.storage.length).toBe(0);
  const accepted = sessionWith({ account });
  await accepted.session.getState().paste(" pv_good\n");
  expect(accepted.storage.getItem("pingvas.key")).toBe("pv_good");
});

test("forgetting the key leaves nothing behind", async () => {
  const { session, storage, onChange } = sessionWith({ account });
  await session.getState().paste("pv_good");
  onChange.mockClear();
  session.getState().forget();
  expect(session.getState()).toMatchObject({ key: null, account: null });
  expect(storage.length).toBe(0);
  expect(onChange).toHaveBeenCalledTimes(1);
});
