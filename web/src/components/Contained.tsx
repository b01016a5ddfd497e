import { Component } from "react";
import type { ReactNode } from "react";

interface Props {
  of: unknown;
  instead: ReactNode;
  children: ReactNode;
}

interface State {
  failed: boolean;
  of: unknown;
}

/**
 * What cannot be shown takes nothing with it: in its place stands something simpler, until `of` is another.
 * Readers of content never fail by their tests; this is for what tests have not thought of.
 */
export class Contained extends Component<Props, State> {
  override state: State = { failed: false, of: this.props.of };

  static getDerivedStateFromError(): Partial<State> {
    return { failed: true };
  }

  static getDerivedStateFromProps(props: Props, state: State): State | null {
    return props.of === state.of ? null : { failed: false, of: props.of };
  }

  override render(): ReactNode {
    return this.state.failed ? this.props.instead : this.props.children;
  }
}
