import { Fragment, memo, useMemo } from "react";
import type { ReactNode } from "react";
import { nameOf, useWorkspace } from "../store/context";
import { navigate } from "../store/route";
import { useSignal } from "../store/signal";
import { t } from "../strings";
import { emojiChar, emojiTable } from "./emoji";
import { onlyEmoji, parseMrkdwn } from "./mrkdwn";
import type { Block, Inline } from "./mrkdwn";

/** A message's text. Everything goes through React as text: nothing in it can become markup. */
export const Mrkdwn = memo(function Mrkdwn({ text, after }: { text: string; after?: ReactNode }) {
  const blocks = useMemo(() => parseMrkdwn(text), [text]);
  return (
    <div className={onlyEmoji(blocks) ? "text large-emoji" : "text"}>
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} after={i === blocks.length - 1 ? after : undefined} />
      ))}
      {blocks.length === 0 && after}
    </div>
  );
});

function BlockView({ block, after }: { block: Block; after: ReactNode }) {
  if (block.type === "pre") {
    return (
      <>
        <pre tabIndex={-1}>
          <code>{block.text}</code>
        </pre>
        {after}
      </>
    );
  }
  const Tag = block.type === "quote" ? "blockquote" : "p";
  return (
    <Tag dir="auto">
      {inlines(block.children)}
      {after}
    </Tag>
  );
}

function inlines(nodes: readonly Inline[]): ReactNode {
  return nodes.map((node, i) => <Fragment key={i}>{inline(node)}</Fragment>);
}

function inline(node: Inline): ReactNode {
  switch (node.type) {
    case "text":
      return node.text;
    case "bold":
      return <strong>{inlines(node.children)}</strong>;
    case "italic":
      return <em>{inlines(node.children)}</em>;
    case "strike":
      return <s>{inlines(node.children)}</s>;
    case "code":
      return <code>{node.text}</code>;
    case "link":
      return (
        <a href={node.url} target="_blank" rel="noopener noreferrer nofollow">
          {node.label}
        </a>
      );
    case "user":
      return <UserMention id={node.id} label={node.label} />;
    case "channel":
      return <ChannelMention id={node.id} label={node.label} />;
    case "broadcast":
      return <span className="mention me">@{node.name}</span>;
    case "emoji":
      return <Emoji name={node.name} />;
    case "break":
      return <br />;
  }
}

function UserMention({ id, label }: { id: string; label: string | undefined }) {
  const user = useWorkspace((state) => state.users[id]);
  const me = useWorkspace((state) => state.self?.id === id);
  return <span className={me ? "mention me" : "mention"}>@{user === undefined && label !== undefined ? label : nameOf(user)}</span>;
}

function ChannelMention({ id, label }: { id: string; label: string | undefined }) {
  const channel = useWorkspace((state) => state.conversations[id]?.channel);
  const name = channel?.name ?? label ?? t.unknownChannel;
  if (channel === undefined && label === undefined) return <span className="mention">#{name}</span>;
  return (
    <a
      className="mention"
      href={`/c/${id}`}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        navigate({ name: "channel", channel: id });
      }}
    >
      #{name}
    </a>
  );
}

/** An emoji by its short name; the name itself when there is none. */
export function Emoji({ name }: { name: string }) {
  const char = emojiChar(useSignal(emojiTable), name);
  if (char === undefined) return <>{`:${name}:`}</>;
  return (
    <span className="emoji" role="img" aria-label={name.replaceAll("_", " ")} title={`:${name}:`}>
      {char}
    </span>
  );
}
