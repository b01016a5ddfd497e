import { memo, useEffect, useId, useMemo, useState } from "react";
import type { ReactNode } from "react";
import { Icon } from "../components/Icon";
import { t } from "../strings";
import { Link, TableView, Tree, inlines } from "./Mrkdwn";
import { RemoteImage } from "./RemoteImage";
import type { Control, DisplayBlock } from "./blocks";
import type { Block } from "./mrkdwn";

/** The blocks of a message. `after` follows the last one. */
export const Blocks = memo(function Blocks({ blocks, after }: { blocks: readonly DisplayBlock[]; after?: ReactNode }) {
  const last = blocks[blocks.length - 1];
  const inside = last?.type === "text" ? after : undefined;
  return (
    <div className="blocks">
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} after={i === blocks.length - 1 ? inside : undefined} />
      ))}
      {inside === undefined && after}
    </div>
  );
});

function BlockView({ block, after }: { block: DisplayBlock; after?: ReactNode }) {
  switch (block.type) {
    case "text":
      return <Tree blocks={block.blocks} after={after} />;
    case "markdown":
      return <Markdown source={block.source} />;
    case "section":
      return (
        <div className="block-section">
          <div className="block-body">
            {block.text.length > 0 && <Tree blocks={block.text} />}
            {block.fields.length > 0 && (
              <div className="block-fields">
                {block.fields.map((field, i) => (
                  <Tree key={i} blocks={field} />
                ))}
              </div>
            )}
          </div>
          {block.accessory && <ControlView control={block.accessory} />}
        </div>
      );
    case "header":
      return (
        <p className="block-header" dir="auto">
          {inlines(block.children)}
        </p>
      );
    case "context":
      return (
        <div className="block-context">
          {block.parts.map((part, i) => (part.type === "picture" ? <RemoteImage key={i} picture={part.picture} small /> : <Tree key={i} blocks={part.blocks} className="words" />))}
        </div>
      );
    case "divider":
      return <hr className="block-divider" />;
    case "image":
      return (
        <figure className="block-image">
          {block.title.length > 0 && (
            <figcaption>
              <Tree blocks={block.title} className="words" />
            </figcaption>
          )}
          <RemoteImage picture={block.picture} />
        </figure>
      );
    case "actions":
      return <Controls controls={block.controls} />;
    case "input":
      return (
        <div className="block-input">
          <b dir="auto">{block.label}</b>
          {block.control && <ControlView control={block.control} />}
          {block.hint !== "" && <small dir="auto">{block.hint}</small>}
        </div>
      );
    case "video":
      return (
        <div className="card video">
          <p className="card-title" dir="auto">
            {block.url === "" ? block.title : <Link url={block.url}>{block.title}</Link>}
          </p>
          {block.source !== "" && <p className="card-meta">{block.source}</p>}
          {block.description !== "" && <p dir="auto">{block.description}</p>}
          {block.thumbnail && <RemoteImage picture={block.thumbnail} />}
        </div>
      );
    case "table":
      return (
        <TableView
          head={block.rows.length > 1}
          align={block.align}
          rows={block.rows.map((row) => row.map((cell, i) => <Tree key={i} blocks={cell} className="words" />))}
        />
      );
    case "alert":
      return (
        <div className={`block-alert ${block.level}`} role="note">
          <Icon name={block.level === "success" ? "check" : "alert"} />
          {t.content.level[block.level] && <span className="sr-only">{t.content.level[block.level]}: </span>}
          <Tree blocks={block.text} className="words" />
        </div>
      );
    case "card":
      return <Card block={block} />;
    case "cards":
      return (
        <div className="cards">
          <Blocks blocks={block.cards} />
        </div>
      );
    case "container":
      return <Container block={block} />;
    case "reference":
      return (
        <div className="card reference">
          <p className="card-meta">{block.kind === "file" ? t.content.file : t.content.call}</p>
          <p dir="auto">{block.id}</p>
        </div>
      );
    case "tasks":
      return (
        <div className="card">
          <p className="card-title" dir="auto">
            {block.title}
          </p>
          {block.tasks.length > 0 && (
            <ul className="text-list">
              {block.tasks.map((task, i) => (
                <li key={i} dir="auto">
                  {task}
                </li>
              ))}
            </ul>
          )}
        </div>
      );
  }
}

function Card({ block }: { block: Extract<DisplayBlock, { type: "card" }> }) {
  return (
    <div className="card">
      {block.hero && <RemoteImage picture={block.hero} />}
      <div className="card-head">
        {block.icon && <RemoteImage picture={block.icon} small />}
        <div>
          {block.title.length > 0 && <Tree blocks={block.title} className="words card-title" />}
          {block.subtitle.length > 0 && <Tree blocks={block.subtitle} className="words card-meta" />}
        </div>
      </div>
      {block.body.length > 0 && <Tree blocks={block.body} className="words" />}
      {block.controls.length > 0 && <Controls controls={block.controls} />}
    </div>
  );
}

function Container({ block }: { block: Extract<DisplayBlock, { type: "container" }> }) {
  const head = (
    <>
      <b dir="auto">{block.title}</b>
      {block.subtitle !== "" && <small dir="auto">{block.subtitle}</small>}
    </>
  );
  if (!block.folds) {
    return (
      <div className="card">
        {block.title !== "" && <p className="card-title">{head}</p>}
        <Blocks blocks={block.children} />
      </div>
    );
  }
  return (
    <details className="card" open={!block.folded}>
      <summary>{head}</summary>
      <Blocks blocks={block.children} />
    </details>
  );
}

function Controls({ controls }: { controls: readonly Control[] }) {
  return (
    <div className="block-actions">
      {controls.map((control, i) => (
        <ControlView key={i} control={control} />
      ))}
    </div>
  );
}

/** What can be pressed opens an address; the rest is shown and says why it does nothing. */
function ControlView({ control }: { control: Control }) {
  switch (control.type) {
    case "picture":
      return <RemoteImage picture={control.picture} small />;
    case "choices":
      return <Choices control={control} />;
    case "button":
      if (control.url !== undefined) {
        return (
          <Link url={control.url} className={`button small ${control.style}`}>
            {control.label}
          </Link>
        );
      }
      return <Silent className={`button small ${control.style}`}>{control.label}</Silent>;
    case "menu":
      return (
        <Silent className="button small">
          {control.label || t.content.menu}
          {control.label !== "⋯" && <Icon name="down" />}
        </Silent>
      );
    case "field":
      return <Silent className="button small field">{control.label || t.content.field}</Silent>;
  }
}

/** Disabled, but in reach of the keyboard, so that everybody can learn why. */
function Silent({ className, children }: { className: string; children: ReactNode }) {
  const why = useId();
  return (
    <button type="button" className={`${className} silent`} aria-disabled="true" aria-describedby={why} title={t.content.forApps}>
      {children}
      <span id={why} hidden>
        {t.content.forApps}
      </span>
    </button>
  );
}

function Choices({ control }: { control: Extract<Control, { type: "choices" }> }) {
  return (
    <div className="block-choices" title={t.content.forApps}>
      {control.options.map((option, i) => (
        <label key={i}>
          <input type={control.kind} checked={option.chosen} disabled readOnly />
          <Tree blocks={option.label} className="words" />
        </label>
      ))}
    </div>
  );
}

/** Markdown is read by a library that comes when it is needed; until then it is shown as it was written. */
function Markdown({ source }: { source: string }) {
  const [read, setRead] = useState<((source: string) => Block[]) | undefined>(undefined);
  useEffect(() => {
    let wanted = true;
    import("./markdown").then(({ parseMarkdown }) => wanted && setRead(() => parseMarkdown), () => {});
    return () => {
      wanted = false;
    };
  }, []);
  const blocks = useMemo(() => read?.(source), [read, source]);
  return blocks === undefined ? <p className="text as-written">{source}</p> : <Tree blocks={blocks} />;
}
