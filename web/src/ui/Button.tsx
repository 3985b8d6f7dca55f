import type { ButtonHTMLAttributes } from "react";

const looks = {
  primary: "bg-accent text-on-accent hover:bg-accent-strong aria-disabled:bg-line aria-disabled:text-muted",
  plain: "border border-edge bg-surface text-ink hover:bg-sunken",
  quiet: "text-muted hover:bg-sunken hover:text-ink",
  danger: "border border-danger bg-surface text-danger hover:bg-danger hover:text-on-danger",
};

interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "disabled"> {
  look?: keyof typeof looks;
  /** Keeps the button in the tab order, so that everybody can find out why it does nothing. */
  inert?: boolean;
}

export function Button({ look = "plain", inert = false, className = "", type = "button", ...rest }: ButtonProps) {
  const shape = "inline-flex min-h-10 items-center justify-center gap-2 rounded-lg px-4 py-2 text-sm font-medium";
  const state = "transition-colors aria-disabled:cursor-not-allowed";
  return (
    <button
      {...rest}
      type={type === "submit" ? "submit" : "button"}
      aria-disabled={inert || undefined}
      onClick={inert && type !== "submit" ? undefined : rest.onClick}
      className={`${shape} ${state} ${looks[look]} ${className}`}
    />
  );
}
