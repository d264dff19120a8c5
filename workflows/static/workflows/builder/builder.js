// The builder: everything is drawn and changed by the server; here is only what hands and eyes need.
import { Server } from "./server.js";
import { Stage } from "./stage.js";
import { Menu } from "./menu.js";
import { Panel } from "./panel.js";
import { listenToKeys } from "./keys.js";
import { Dragging } from "./dragging.js";
import { Minimap } from "./minimap.js";
import { pan } from "./panning.js";
import { Live } from "./live.js";
import { CardMenu } from "./card-menu.js";
import { Moving } from "./moving.js";
import { Questions } from "./questions.js";
import { Frame } from "./frame.js";
import { Trying } from "./trying.js";

const builder = document.getElementById("builder");
const stage = new Stage(builder);
const server = new Server(builder, stage);
const panel = new Panel(builder, stage, server);
const menu = new Menu(builder, stage, server);
const cardMenu = new CardMenu(builder, stage, server, new Moving(builder, stage, server));
new Questions(builder, stage, server);
new Frame(builder, stage, server);
new Trying(builder, stage, panel);

builder.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    const zoom = at("[data-zoom]");
    if (zoom) return stage.zoom(zoom.dataset.zoom);
    const deed = at("[data-do]");
    if (deed) return server.send({ operation: deed.dataset.do });
    const plus = at(".jb-plus");
    if (plus) return menu.open(plus);
    const problem = at("#builder-problems [data-step]");
    if (problem) return stage.choose(problem.dataset.step, problem.dataset.field);
    const more = at(".jb-more");
    if (more) return cardMenu.open(more.closest(".jb-card"));
    const card = at(".jb-card");
    if (card) return stage.choose(card.dataset.step);
});

listenToKeys({ builder, stage, server, menu });
pan(stage.view);
new Dragging(builder, stage, server);
new Minimap(builder, stage);
stage.place();
stage.begin();
new Live(builder).begin();
