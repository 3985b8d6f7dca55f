import { useEffect, useRef } from "react";
import { useStore } from "zustand";
import { useApp, useT } from "../ui/context";
import { JobCard } from "./JobCard";

export function JobList() {
  const t = useT();
  const { jobs, form } = useApp();
  const list = useStore(jobs, (j) => j.list);
  const created = useStore(form, (f) => f.created);
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = useRef(created);
  // Where the list is below the form, a new job shows where it went.
  useEffect(() => {
    if (shown.current === created) return;
    shown.current = created;
    const beside = window.matchMedia("(min-width: 64rem)").matches;
    heading.current?.scrollIntoView({ block: beside ? "nearest" : "start" });
  }, [created]);
  return (
    <section
      aria-labelledby="jobs-title"
      className="min-w-0 lg:sticky lg:top-4 lg:max-h-[calc(100dvh-2rem)] lg:overflow-y-auto lg:p-1"
    >
      <h2 id="jobs-title" ref={heading} className="mb-3 text-xl font-semibold">
        {t("jobs.title")}
      </h2>
      {list.length === 0 ? (
        <p className="rounded-2xl border border-dashed border-edge px-6 py-14 text-center text-muted">
          {t("jobs.empty")}
        </p>
      ) : (
        <ul className="flex flex-col gap-3">
          {list.map((job) => (
            <li key={job.generation.id}>
              <JobCard job={job} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
