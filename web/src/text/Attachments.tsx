import { memo, useMemo } from "react";
import { Blocks } from "./Blocks";
import { Link, Tree } from "./Mrkdwn";
import { RemoteImage } from "./RemoteImage";
import { onlyPretext, readAttachments } from "./attachments";
import type { Attachment } from "./attachments";
import { t } from "../strings";
import { ago, fullTime } from "./time";
import { minute } from "../store/minute";
import { useSignal } from "../store/signal";

/** What apps and links hang under a message. */
export const Attachments = memo(function Attachments({ attachments }: { attachments: unknown }) {
  const all = useMemo(() => readAttachments(attachments), [attachments]);
  return all.map((attachment, i) => <AttachmentView key={i} attachment={attachment} />);
});

function AttachmentView({ attachment: it }: { attachment: Attachment }) {
  const now = useSignal(minute);
  const author = it.authorUrl === undefined ? it.author : <Link url={it.authorUrl}>{it.author}</Link>;
  const ms = it.ts === undefined || Math.abs(it.ts) > 8.64e12 ? undefined : it.ts * 1000;
  const pretext = it.pretext.length > 0 && <Tree blocks={it.pretext} />;
  if (onlyPretext(it)) return pretext;
  return (
    <>
      {pretext}
      <div className="attachment" style={it.color === undefined ? {} : ({ "--bar": it.color } as React.CSSProperties)}>
        <div className="attachment-body">
          {it.author !== "" && (
            <p className="card-meta" dir="auto">
              {author}
            </p>
          )}
          {it.title.length > 0 && (
            <div className="card-title">{it.titleUrl === undefined ? <Tree blocks={it.title} className="words" /> : <Link url={it.titleUrl}><Tree blocks={it.title} className="words" /></Link>}</div>
          )}
          {it.text.length > 0 && <Tree blocks={it.text} />}
          {it.fields.length > 0 && (
            <dl className="attachment-fields">
              {it.fields.map((field, i) => (
                <div key={i} className={field.short ? "short" : ""}>
                  <dt dir="auto">{field.title}</dt>
                  <dd>
                    <Tree blocks={field.value} />
                  </dd>
                </div>
              ))}
            </dl>
          )}
          {it.blocks.length > 0 && <Blocks blocks={it.blocks} />}
          {it.image && <RemoteImage picture={it.image} />}
          {it.buttons.length > 0 && (
            <div className="block-actions">
              {it.buttons.map((label, i) => (
                <button key={i} type="button" className="button small silent" aria-disabled="true" title={t.content.forApps}>
                  {label}
                </button>
              ))}
            </div>
          )}
          {(it.footer !== "" || ms !== undefined) && (
            <p className="card-meta" dir="auto">
              {it.footer}
              {it.footer !== "" && ms !== undefined && " · "}
              {ms !== undefined && (
                <time dateTime={new Date(ms).toISOString()} title={fullTime(ms)}>
                  {ago(ms, now)}
                </time>
              )}
            </p>
          )}
        </div>
        {it.thumb && !it.image && <RemoteImage picture={it.thumb} small />}
      </div>
    </>
  );
}
