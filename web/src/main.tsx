import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/door.css";
import "./styles/workspace.css";
import "./styles/messages.css";
import "./styles/content.css";
import "./styles/reading.css";
import "./styles/composer.css";
import "./styles/overlays.css";
import "./styles/emoji.css";
import { App } from "./views/App";

createRoot(document.getElementById("root")!).render(<App />);
