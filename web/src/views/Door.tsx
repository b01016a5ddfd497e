import { useEffect, useState } from "react";
import type { FormEvent, ReactNode } from "react";
import { navigate } from "../store/route";
import { t } from "../strings";
import { errorText } from "../strings/en";
import { failureOf } from "../wire/api";
import type { Call } from "../wire/api";
import type { Envelope, Team } from "../wire/types";

interface DoorProps {
  call: Call;
  /** The cookie is set: the workspace can be opened. */
  onEnter(): void;
}

/** The frame of everything outside a workspace. */
export function Door({ title, lead, children, foot }: { title: string; lead: string; children?: ReactNode; foot?: ReactNode }) {
  return (
    <main className="door">
      <div className="door-card">
        <p className="brand">
          <img src="/icon.svg" alt="" width="28" height="28" />
          {t.app}
        </p>
        <h1>{title}</h1>
        <p className="door-lead">{lead}</p>
        {children}
        {foot && <p className="door-foot">{foot}</p>}
      </div>
      <p className="door-tagline">{t.door.tagline}</p>
    </main>
  );
}

/** E-mail and password. `notice`: why the person is here. */
export function SignIn({ call, onEnter, teams, notice }: DoorProps & { teams: Team[] | undefined; notice: string | undefined }) {
  const several = teams === undefined || teams.length !== 1;
  const [askTeam, setAskTeam] = useState(false);
  const form = useForm(async (fields) => {
    await call("parlance.signin", { email: fields.email, password: fields.password, team: fields.team || undefined });
    onEnter();
  });
  useEffect(() => {
    if (form.code === "team_required") setAskTeam(true);
  }, [form.code]);
  return (
    <Door title={t.door.signInTitle(several ? undefined : teams[0]?.name)} lead={notice ?? t.door.signInLead} foot={t.door.invited}>
      <form className="form" onSubmit={form.submit}>
        {askTeam && <Field name="team" label={t.door.team} autoComplete="organization" />}
        <Field name="email" label={t.door.email} type="email" autoComplete="username" autoFocus />
        <Field name="password" label={t.door.password} type="password" autoComplete="current-password" />
        <Submit form={form} label={t.door.signIn} />
      </form>
    </Door>
  );
}

/** The first owner's sign-up. */
export function Setup({ call, onEnter }: DoorProps) {
  const form = useForm(async (fields) => {
    await call("parlance.setup", { team_name: fields.team_name, real_name: fields.real_name, email: fields.email, password: fields.password, tz: timeZone() });
    onEnter();
  });
  return (
    <Door title={t.door.setupTitle} lead={t.door.setupLead}>
      <form className="form" onSubmit={form.submit}>
        <Field name="team_name" label={t.door.workspaceName} hint={t.door.workspaceHint} autoFocus />
        <Field name="real_name" label={t.door.name} autoComplete="name" />
        <Field name="email" label={t.door.email} type="email" autoComplete="username" />
        <Field name="password" label={t.door.password} type="password" autoComplete="new-password" hint={t.door.passwordHint} minLength={8} />
        <Submit form={form} label={t.door.setup} />
      </form>
    </Door>
  );
}

type Invitation = Envelope & { team: Team; email?: string; inviter?: { real_name?: string } };

/** Somebody follows an invitation link. */
export function Invite({ call, onEnter, code }: DoorProps & { code: string }) {
  const [info, setInfo] = useState<Invitation | string | undefined>(undefined);
  useEffect(() => {
    call<Invitation>("parlance.invite.info", { code }).then(setInfo, (thrown: unknown) => setInfo(failureOf(thrown).error));
  }, [call, code]);
  const form = useForm(async (fields) => {
    await call("parlance.invite.accept", { code, real_name: fields.real_name, email: fields.email, password: fields.password, tz: timeZone() });
    onEnter();
  });
  const toSignIn = (
    <button type="button" className="link" onClick={() => navigate({ name: "signin" })}>
      {t.door.toSignIn}
    </button>
  );
  if (info === undefined) return <Waiting />;
  if (typeof info === "string") {
    const gone = info.startsWith("invite_");
    return <Door title={gone ? t.door.inviteGone : t.door.unreachable} lead={gone ? t.door.inviteGoneLead : errorText(info)} foot={toSignIn} />;
  }
  return (
    <Door title={t.door.inviteTitle(info.team.name)} lead={t.door.inviteLead(info.inviter?.real_name)} foot={<>{t.door.haveAccount} {toSignIn}</>}>
      <form className="form" onSubmit={form.submit}>
        <Field name="real_name" label={t.door.name} autoComplete="name" autoFocus />
        <Field name="email" label={t.door.email} type="email" autoComplete="username" value={info.email || undefined} />
        <Field name="password" label={t.door.password} type="password" autoComplete="new-password" hint={t.door.passwordHint} minLength={8} />
        <Submit form={form} label={t.door.join} />
      </form>
    </Door>
  );
}

/** Where the person is: others see what time it is there, and the night is quiet by it. */
function timeZone(): string | undefined {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || undefined;
}

/** The server does not answer; the page tries again by itself. */
export function Unreachable() {
  return <Door title={t.door.unreachable} lead={t.door.unreachableLead} />;
}

/** Nothing, unless it takes longer than a moment. */
export function Waiting() {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return <main className="waiting">{shown && t.loading}</main>;
}

interface Form {
  submit(event: FormEvent<HTMLFormElement>): void;
  busy: boolean;
  code: string | undefined;
}

function useForm(run: (fields: Record<string, string>) => Promise<void>): Form {
  const [busy, setBusy] = useState(false);
  const [code, setCode] = useState<string | undefined>(undefined);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = Object.fromEntries([...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value)]));
    setBusy(true);
    setCode(undefined);
    run(fields)
      .catch((thrown: unknown) => setCode(failureOf(thrown).error))
      .finally(() => setBusy(false));
  };
  return { submit, busy, code };
}

interface FieldProps {
  name: string;
  label: string;
  type?: string;
  hint?: string;
  autoComplete?: string;
  autoFocus?: boolean;
  minLength?: number;
  value?: string | undefined;
}

function Field({ name, label, type = "text", hint, autoComplete = "off", autoFocus = false, minLength, value }: FieldProps) {
  return (
    <label>
      {label}
      <input className="input" name={name} type={type} required autoComplete={autoComplete} autoFocus={autoFocus} minLength={minLength} defaultValue={value} readOnly={value !== undefined} aria-describedby={hint ? `${name}-hint` : undefined} />
      {hint && <small id={`${name}-hint`}>{hint}</small>}
    </label>
  );
}

function Submit({ form, label }: { form: Form; label: string }) {
  return (
    <>
      {form.code !== undefined && (
        <p className="form-error" role="alert">
          {errorText(form.code)}
        </p>
      )}
      <button type="submit" className="button primary wide" disabled={form.busy}>
        {form.busy ? t.door.working : label}
      </button>
    </>
  );
}
