// The roles are said again on purpose: see Lines.
/* oxlint-disable jsx-a11y/no-redundant-roles, jsx-a11y/no-interactive-element-to-noninteractive-role */
import { useEffect, type ReactNode } from "react";
import { useStore } from "zustand";
import type { StatementLine } from "../api/schema";
import type { MessageKey } from "../i18n";
import { Button } from "../ui/Button";
import { useApp, useT, type Words } from "../ui/context";
import { ProblemNote } from "../ui/ProblemNote";
import { MonthView } from "./MonthView";
import { UsageView } from "./UsageView";

const COLUMNS: MessageKey[] = [
  "statement.when",
  "statement.kind",
  "statement.cause",
  "statement.amount",
  "statement.available",
  "statement.reserved",
  "statement.generation",
];

export function StatementPage() {
  const t = useT();
  const { statement } = useApp();
  const { lines, cursor, loaded, loading, error, refresh, more } = useStore(statement);
  useEffect(() => void refresh(), [refresh]);
  return (
    <section aria-labelledby="statement-title">
      <h1 id="statement-title" tabIndex={-1} className="text-xl font-semibold outline-none">
        {t("statement.title")}
      </h1>
      <p role="status" className="mt-1 mb-4 text-sm text-muted">
        {loading && !loaded ? t("app.loading") : t(loaded && lines.length === 0 ? "statement.empty" : "statement.text")}
      </p>
      {error && <ProblemNote error={error} onRetry={() => void refresh()} />}
      <MonthView />
      {lines.length > 0 && <Lines lines={lines} />}
      {cursor !== null && (
        <div className="mt-6 text-center">
          <Button inert={loading} onClick={() => void more()}>
            {t(loading ? "app.loading" : "app.more")}
          </Button>
        </div>
      )}
      <UsageView />
    </section>
  );
}

// On a narrow screen each row is a card and each cell says its column, so the roles are given again: a table whose
// display is changed is no table to a screen reader.
function Lines({ lines }: { lines: StatementLine[] }) {
  const t = useT();
  return (
    <table role="table" aria-labelledby="statement-title" className="block w-full text-left text-sm md:table">
      <thead role="rowgroup" className="sr-only md:not-sr-only md:table-header-group">
        <tr role="row" className="text-muted">
          {COLUMNS.map((key) => (
            <th key={key} role="columnheader" scope="col" className="px-3 py-2 font-medium whitespace-nowrap">
              {t(key)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup" className="flex flex-col gap-3 md:table-row-group">
        {lines.map((line) => (
          <Line key={`${line.position} ${line.kind}`} line={line} />
        ))}
      </tbody>
    </table>
  );
}

const rowLook =
  "grid grid-cols-2 gap-x-4 gap-y-2 rounded-xl border border-line bg-surface p-4 " +
  "md:table-row md:rounded-none md:border-0 md:border-t md:bg-transparent";

function Line({ line }: { line: StatementLine }) {
  const t = useT();
  const { detail } = useApp();
  const { generation } = line;
  return (
    <tr role="row" className={rowLook} data-testid="line" data-kind={line.kind}>
      <Cell label="statement.when">{t.moment(line.at)}</Cell>
      <Cell label="statement.kind">
        <span className="font-medium">{t.word("kind", line.kind)}</span>
      </Cell>
      <Cell label="statement.cause">{causeOf(t, line)}</Cell>
      <Cell label="statement.amount" number>
        {t.number(line.amount)}
      </Cell>
      <Cell label="statement.available" number>
        <Change before={line.available_before} after={line.available_after} />
      </Cell>
      <Cell label="statement.reserved" number>
        <Change before={line.reserved_before} after={line.reserved_after} />
      </Cell>
      <Cell label="statement.generation">
        {generation ? (
          <button
            type="button"
            className="font-mono text-xs underline underline-offset-2"
            aria-label={t("statement.open", { id: generation })}
            onClick={() => detail.getState().showGeneration(generation)}
          >
            …{generation.slice(-8)}
          </button>
        ) : (
          "–"
        )}
      </Cell>
    </tr>
  );
}

function causeOf(t: Words, { kind, cause }: StatementLine): string {
  if (!cause) return "–";
  return kind === "settled" ? t("statement.policy", { policy: cause }) : t.word("cause", cause);
}

interface CellProps {
  label: MessageKey;
  number?: boolean;
  children: ReactNode;
}

function Cell({ label, number = false, children }: CellProps) {
  const t = useT();
  return (
    <td role="cell" className={`min-w-0 md:px-3 md:py-2.5 ${number ? "tabular-nums md:whitespace-nowrap" : ""}`}>
      <span aria-hidden="true" className="block text-xs text-muted md:hidden">
        {t(label)}
      </span>
      {children}
    </td>
  );
}

function Change({ before, after }: { before: number; after: number }) {
  const t = useT();
  const figures = { before: t.number(before), after: t.number(after) };
  if (before === after) return <span className="text-muted">{figures.after}</span>;
  return (
    <>
      <span aria-hidden="true">{t("statement.change", figures)}</span>
      <span className="sr-only">{t("statement.change.said", figures)}</span>
    </>
  );
}
