import { createStore } from "zustand/vanilla";
import type { ApiError } from "../api/problem";
import { toApiError } from "../api/problem";
import type { Balance, Model, ModelList, PlanList, SettlementPolicy } from "../api/schema";

export interface CreditsState {
  balance: Balance | null;
  refresh(): Promise<void>;
  clear(): void;
}

export function createCredits(getBalance: () => Promise<Balance>, onError: (error: unknown) => void) {
  let asked = 0;
  return createStore<CreditsState>((set) => ({
    balance: null,
    async refresh() {
      const turn = ++asked;
      try {
        const balance = await getBalance();
        if (turn === asked) set({ balance });
      } catch (error) {
        if (turn === asked) onError(error);
      }
    },
    clear() {
      asked++;
      set({ balance: null });
    },
  }));
}

/**
 * The credits that may pay for this model, or null while the balance is not known: some grants are good for certain
 * models or operations only.
 */
export function spendable(balance: Balance | null, model: string, operation: string): number | null {
  if (!balance) return null;
  const granted = balance.grants
    .filter((g) => allows(g.models, model) && allows(g.operations, operation))
    .reduce((sum, g) => sum + g.available, 0);
  return granted + balance.credit_line - balance.credit_line_used;
}

function allows(scope: string[] | undefined, value: string): boolean {
  return scope === undefined || scope.length === 0 || scope.includes(value);
}

/** What a queued or running job would be charged if it were cancelled now, or null while the policy is unknown. */
export function cancelCost(policy: SettlementPolicy | null, stage: string, reserved: number): number | null {
  const rule = policy?.rules.find((r) => r.terminal === "cancelled" && r.stage === stage);
  return rule ? Math.floor((reserved * rule.share_basis_points) / 10_000) : null;
}

export interface Catalogue {
  models: Model[];
  plans: PlanList["data"];
  policy: SettlementPolicy | null;
  error: ApiError | null;
  load(): Promise<void>;
}

export interface CatalogueCalls {
  models: () => Promise<ModelList>;
  plans: () => Promise<PlanList>;
  settlementPolicy: () => Promise<SettlementPolicy>;
}

export function createCatalogue(calls: CatalogueCalls) {
  return createStore<Catalogue>((set) => ({
    models: [],
    plans: [],
    policy: null,
    error: null,
    async load() {
      set({ error: null });
      try {
        const [models, plans, policy] = await Promise.all([calls.models(), calls.plans(), calls.settlementPolicy()]);
        set({ models: models.data, plans: plans.data, policy });
      } catch (error) {
        set({ error: toApiError(error) });
      }
    },
  }));
}
