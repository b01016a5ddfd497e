import { Suspense } from "react";
import { useSession } from "../store/context";
import { closeDialog, dialog } from "../store/dialogs";
import { navigate } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { CreateDialog } from "./CreateDialog";
import { InviteDialog } from "./InviteDialog";
import { PeoplePicker } from "./PeoplePicker";
import { HelpSheet, PauseDialog, PreferencesDialog, ProfileDialog, StatusDialog } from "./Place";

/** The dialog that is open, whoever opened it. */
export function Dialogs() {
  const session = useSession();
  switch (useSignal(dialog)) {
    case undefined:
      return null;
    case "create":
      return <CreateDialog onClose={closeDialog} />;
    case "invite":
      return <InviteDialog onClose={closeDialog} />;
    case "people":
      return (
        <PeoplePicker
          title={t.peoplePicker.title}
          onClose={closeDialog}
          onPick={async (user) => {
            const channel = await session.message(user);
            closeDialog();
            navigate({ name: "channel", channel });
          }}
        />
      );
    case "help":
      return <Suspense><HelpSheet onClose={closeDialog} /></Suspense>;
    case "preferences":
      return <Suspense><PreferencesDialog onClose={closeDialog} /></Suspense>;
    case "status":
      return <Suspense><StatusDialog onClose={closeDialog} /></Suspense>;
    case "profile":
      return <Suspense><ProfileDialog onClose={closeDialog} /></Suspense>;
    case "pause":
      return <Suspense><PauseDialog onClose={closeDialog} /></Suspense>;
  }
}
