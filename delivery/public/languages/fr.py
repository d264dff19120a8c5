"""French."""

from delivery.public.languages.words import PageWords

WORDS = PageWords(
    name="Français",
    unsubscribe_title="Désabonnement",
    unsubscribe_ask="Ne plus recevoir nos e-mails ?",
    unsubscribe_explain="Nous n’enverrons plus de messages publicitaires à l’adresse qui a reçu ce lien.",
    unsubscribe_button="Me désabonner",
    unsubscribed_title="Vous êtes désabonné(e)",
    unsubscribed_explain="Cette adresse ne reçoit plus de messages publicitaires de notre part. Vous pouvez fermer "
    "cette page.",
    undo_button="C’était une erreur",
    undone_title="Votre désabonnement est annulé",
    undone_explain="Ce que vous aviez désactivé sur cette page est de nouveau comme avant. Vous pouvez fermer cette "
    "page.",
    preferences_title="Ce que vous recevez de nous",
    preferences_for="Pour {address}",
    topics_legend="Thèmes",
    news_and_offers="Nouveautés et offres",
    everything_else="Tout le reste",
    channels_legend="Comment nous vous contactons",
    email="E-mail",
    sms="SMS",
    push="Notifications push",
    frequency_legend="Nombre maximal d’e-mails",
    as_it_comes="Au fil de l’actualité",
    one_a_day="Un e-mail par jour",
    one_a_week="Un e-mail par semaine",
    as_it_is="Le réglage actuel",
    save_button="Enregistrer",
    all_off_button="Tout désactiver",
    saved="Vos choix sont enregistrés.",
    switched_off="Tout est désactivé. Vous ne recevez plus de messages publicitaires de notre part.",
    no_channel="Aucun moyen de vous contacter n’est choisi : rien ne vous sera envoyé.",
    blocked="En ce moment, nous n’écrivons pas à cette adresse pour une raison que cette page ne peut pas changer, par "
    "exemple parce que des e-mails nous sont revenus. Vos choix sont conservés.",
    still_sent="Les messages dont vous avez besoin, comme les reçus, sont toujours envoyés.",
    unknown_title="Ce lien ne fonctionne pas",
    unknown_explain="Il a peut-être été coupé. Veuillez le rouvrir depuis l’e-mail, ou y utiliser le lien de "
    "désabonnement.",
    too_many_title="Un instant, s’il vous plaît",
    too_many_explain="Trop de demandes sont venues de votre réseau. Veuillez réessayer dans une minute.",
    footer_question="Vous ne souhaitez plus ces e-mails ?",
    footer_unsubscribe="Se désabonner",
    footer_preferences="Choisir ce que vous recevez",
)
