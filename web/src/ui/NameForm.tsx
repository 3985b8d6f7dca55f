import { useState, type FormEvent } from "react";
import { Button } from "./Button";
import { controlLook, Field } from "./Field";

const NAME_CHARS_MAX = 100;

interface NameFormProps {
  label: string;
  submit: string;
  initial?: string;
  /** Returns whether it worked; then the form is emptied. */
  onName: (name: string) => Promise<boolean>;
}

/** One line for a name, and a button. */
export function NameForm({ label, submit, initial = "", onName }: NameFormProps) {
  const [name, setName] = useState(initial);
  async function send(event: FormEvent) {
    event.preventDefault();
    if (name.trim() !== "" && (await onName(name.trim()))) setName("");
  }
  return (
    <form className="flex flex-wrap items-end gap-2" onSubmit={(event) => void send(event)}>
      <Field label={label}>
        {(control) => (
          <input
            {...control}
            className={controlLook}
            maxLength={NAME_CHARS_MAX}
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <Button type="submit" inert={name.trim() === ""}>
        {submit}
      </Button>
    </form>
  );
}
