"""The built-in niches: what creators post about, in the words of the influencer field.

Used where creators carry no labels, and to read what a marketer writes in a brief. Knows nothing
of vectors or models. Terms follow the IAB Content Taxonomy 3.1 and the platforms' own category
names, cut and joined to what brands search creators by; synonyms are in English, Spanish, German,
French and Portuguese.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Niche:
    """One niche.

    Attributes:
        label: Its name, in lower case.
        description: What its posts are about.
        phrases: What such posts say, as captions do; none is taken from any data set.
        synonyms: Other names for it; no two niches share one.
        platform_categories: Names of platform categories (YouTube's, mostly) it belongs to.
    """

    label: str
    description: str
    phrases: tuple[str, ...]
    synonyms: tuple[str, ...]
    platform_categories: tuple[str, ...] = ()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


NICHES: tuple[Niche, ...] = (
    Niche(
        label="beauty",
        description=(
            "Makeup, skincare, hair, nails and fragrance: tutorials, routines and product reviews."
        ),
        phrases=(
            "my everyday makeup tutorial: foundation, mascara, eyeshadow and lipstick",
            "skincare routine for sensitive skin: cleanser, serum, moisturizer, sunscreen",
            "hair transformation, curls, haircut and hair color at home",
            "nail art and manicure ideas",
            "testing viral beauty products, full review and swatches",
        ),
        synonyms=_listed(
            "makeup, make-up, cosmetics, skincare, skin care, haircare, hair, hairstyling, "
            "nails, nail art, fragrance, perfume, beauty & makeup, belleza, maquillaje, "
            "schönheit, kosmetik, beauté, maquillage, beleza, maquiagem"
        ),
        platform_categories=("Howto & Style",),
    ),
    Niche(
        label="fashion",
        description="Clothes, shoes, outfits, style advice, hauls, designers and runway shows.",
        phrases=(
            "outfit of the day, styling a denim jacket three ways",
            "huge clothing haul and try-on: dresses, jeans and sneakers",
            "autumn fashion trends and lookbook",
            "fashion week street style, designer bags and runway show",
            "what to wear: streetwear, accessories and jewelry",
        ),
        synonyms=_listed(
            "style, style & fashion, clothing, apparel, outfits, streetwear, menswear, "
            "womenswear, sneakers, jewelry, accessories, moda, ropa, mode, kleidung, "
            "vêtements, roupas"
        ),
        platform_categories=("Howto & Style",),
    ),
    Niche(
        label="fitness",
        description=(
            "Working out, strength training, running, yoga, gym routines and sports nutrition."
        ),
        phrases=(
            "30 minute full body workout at home, no equipment",
            "leg day at the gym: squats, deadlifts and progress",
            "marathon training week and running tips",
            "yoga flow for beginners, stretching and mobility",
            "what I eat to build muscle, protein and macros",
        ),
        synonyms=_listed(
            "gym, workout, workouts, bodybuilding, crossfit, yoga, pilates, running, fitness "
            "& exercise, personal training, entrenamiento, gimnasio, ejercicio, training, "
            "fitnesstraining, musculation, treino, academia"
        ),
    ),
    Niche(
        label="health and wellness",
        description="Mental health, healthy habits, nutrition, sleep, medicine and self-care.",
        phrases=(
            "how I deal with anxiety and stress: meditation, therapy and journaling",
            "healthy habits for better sleep and more energy",
            "a doctor explains vitamins, gut health and symptoms",
            "self-care sunday, mindfulness and breathing",
            "living with a chronic illness, my diagnosis and treatment",
        ),
        synonyms=_listed(
            "health, wellness, wellbeing, healthy living, mental health, self-care, "
            "mindfulness, meditation, nutrition, medical health, salud, bienestar, "
            "gesundheit, wohlbefinden, santé, bien-être, saúde, bem-estar"
        ),
    ),
    Niche(
        label="food",
        description="Cooking, baking, recipes, restaurants, street food and tastings.",
        phrases=(
            "easy chicken recipe for dinner in 20 minutes",
            "how to bake a chocolate cake with buttercream frosting",
            "trying street food and the best restaurant in town",
            "vegan meal prep, breakfast, lunch and snacks",
            "chef makes homemade pasta, pizza and sauce in the kitchen",
        ),
        synonyms=_listed(
            "food & drink, cooking, recipes, baking, foodie, restaurants, vegan, culinary, "
            "gastronomy, comida, cocina, recetas, essen, kochen, rezepte, backen, cuisine, "
            "recettes, gastronomie, culinária, receitas, cozinha"
        ),
        platform_categories=("Howto & Style",),
    ),
    Niche(
        label="drinks",
        description=(
            "Coffee, tea, wine, beer, cocktails and other drinks: brewing, mixing and tasting."
        ),
        phrases=(
            "how to make espresso, latte art and cold brew coffee",
            "three easy cocktails, bartender tips with gin and rum",
            "wine tasting at a vineyard, red or white",
            "craft beer review and home brewing",
        ),
        synonyms=_listed(
            "beverages, coffee, tea, wine, beer, cocktails, mixology, spirits, bebidas, "
            "café, getränke, kaffee, boissons, vin"
        ),
    ),
    Niche(
        label="travel",
        description=(
            "Trips, destinations, hotels, flights, city guides, culture and life on the road."
        ),
        phrases=(
            "10 things to do in Lisbon, a travel guide",
            "backpacking through Thailand on a budget",
            "our hotel and beach resort on a tropical island vacation",
            "first class flight review and airport lounge",
            "road trip and van life across the country, tourist tips",
        ),
        synonyms=_listed(
            "traveling, travelling, tourism, vacation, holidays, destinations, backpacking, "
            "van life, viajes, viaje, turismo, reisen, reise, voyage, voyages, tourisme, "
            "viagem, viagens"
        ),
        platform_categories=("Travel & Events",),
    ),
    Niche(
        label="gaming",
        description="Video games, consoles, esports, walkthroughs, livestreams and game news.",
        phrases=(
            "gameplay walkthrough part 1, no commentary",
            "minecraft survival let's play with friends",
            "new playstation, xbox and nintendo game trailer and review",
            "ranked esports match, pro player highlights and best loadout",
            "gaming keyboard, mouse, PC setup and twitch stream",
        ),
        synonyms=_listed(
            "video games, videogames, games, esports, e-sports, gamer, video gaming, let's "
            "play, videojuegos, juegos, videospiele, gaming-pc, jeux vidéo, jogos, "
            "videogame, games e jogos"
        ),
        platform_categories=("Gaming",),
    ),
    Niche(
        label="technology",
        description=(
            "Phones, computers, gadgets, apps, software, unboxings and reviews of "
            "consumer electronics."
        ),
        phrases=(
            "unboxing and review of the new iphone, camera and battery test",
            "best laptop, headphones and gadgets this year",
            "android vs ios, smartphone comparison",
            "programming tutorial, apps, software and artificial intelligence",
            "smart home devices, drones and virtual reality headset hands-on",
        ),
        synonyms=_listed(
            "tech, technology & computing, gadgets, consumer electronics, electronics, "
            "smartphones, computers, software, programming, coding, ai, tecnología, technik, "
            "technologie, informatique, tecnologia"
        ),
        platform_categories=("Science & Technology",),
    ),
    Niche(
        label="science",
        description="Space, physics, biology, chemistry, engineering and experiments explained.",
        phrases=(
            "NASA rocket launch, planets, black holes and the solar system",
            "physics experiment in slow motion explained",
            "how the brain, cells, evolution and DNA work",
            "chemistry reaction, engineering and scientific discovery",
            "climate, earthquakes, volcanoes and oceans: what scientists know",
        ),
        synonyms=_listed(
            "sciences, space, astronomy, physics, biology, chemistry, engineering, popular "
            "science, ciencia, wissenschaft, naturwissenschaft, ciência"
        ),
        platform_categories=(
            "Science & Technology",
            "Education",
        ),
    ),
    Niche(
        label="education",
        description=(
            "Learning, school, study tips, languages, history and how things came to be, explained."
        ),
        phrases=(
            "study with me, exam tips and note taking for students",
            "the history of the roman empire, explained",
            "learn spanish: 20 common phrases and grammar",
            "math lesson for beginners, a teacher explains",
            "why do we do this? interesting facts you did not know, a video essay",
        ),
        synonyms=_listed(
            "learning, study, school, teaching, history, languages, language learning, "
            "documentary facts, educación, aprender, bildung, lernen, éducation, apprendre, "
            "educação, ensino"
        ),
        platform_categories=("Education",),
    ),
    Niche(
        label="music",
        description="Songs, music videos, artists, albums, concerts, covers and instruments.",
        phrases=(
            "official music video, new single out now",
            "artist - song title (official audio) feat. rapper",
            "acoustic cover of a pop song, guitar and vocals, lyrics",
            "live performance at the concert, tour and album release",
            "producer makes a hip hop beat, DJ set, piano lesson",
        ),
        synonyms=_listed(
            "musician, musicians, singer, songs, music & audio, hip hop, rap, pop, concerts, "
            "dj, música, canciones, musik, musique, chansons, músicas"
        ),
        platform_categories=("Music",),
    ),
    Niche(
        label="dance",
        description="Choreography, dance classes, ballet, street dance and dance challenges.",
        phrases=(
            "dance choreography class, hip hop routine",
            "ballet dancer rehearsal and performance",
            "learn this tiktok dance challenge step by step",
            "salsa and bachata couple dancing",
        ),
        synonyms=_listed("dancing, choreography, ballet, baile, danza, tanz, tanzen, danse, dança"),
    ),
    Niche(
        label="comedy",
        description=(
            "Sketches, parodies, stand-up, pranks, late-night monologues, memes and other humor."
        ),
        phrases=(
            "funny sketch about roommates, parody",
            "stand-up comedian jokes about dating",
            "late night host monologue, funny interview and bit",
            "prank on my brother gone wrong, try not to laugh",
            "when your mom catches you: relatable memes, lol",
        ),
        synonyms=_listed(
            "humor, humour, funny, memes, sketch comedy, stand-up, pranks, parody, comedia, "
            "komödie, comédie, humoristique, comédia, engraçado"
        ),
        platform_categories=("Comedy",),
    ),
    Niche(
        label="film and tv",
        description="Movies, series, trailers, reviews, scenes, film-making and animation shorts.",
        phrases=(
            "official trailer, only in theaters, a film by the director",
            "movie review and ending explained",
            "season finale recap of the series on netflix",
            "behind the scenes of the film, short film and visual effects",
            "star wars, marvel and horror movie clips, everything wrong with",
        ),
        synonyms=_listed(
            "film, films, movies, movie, cinema, tv, television, series, tv & movies, film & "
            "animation, filmmaking, cine, películas, kino, filme, serien, cinéma, séries, "
            "filmes, televisão"
        ),
        platform_categories=(
            "Film & Animation",
            "Movies",
            "Shows",
            "Trailers",
        ),
    ),
    Niche(
        label="anime and comics",
        description="Anime, manga, comics, cartoons, cosplay and fan culture.",
        phrases=(
            "anime episode reaction and manga chapter review",
            "my cosplay for comic con, making the costume",
            "superhero comics explained, batman and spider-man origin",
            "animated cartoon episode, drawing my own characters",
        ),
        synonyms=_listed(
            "anime, manga, comics, cosplay, cartoons, anime & manga, cómics, bande dessinée, "
            "quadrinhos"
        ),
    ),
    Niche(
        label="celebrity and pop culture",
        description="Celebrities, royals, red carpets, reality shows, interviews and gossip.",
        phrases=(
            "celebrity interview on the red carpet, couple breaks up",
            "royal wedding news and gossip",
            "reality show drama, kardashians and influencers, tea spill",
            "award show best dressed stars and paparazzi",
        ),
        synonyms=_listed(
            "celebrity, celebrities, pop culture, entertainment, gossip, entertainment news, "
            "famosos, farándula, promis, unterhaltung, célébrités, celebridades, "
            "entretenimento"
        ),
        platform_categories=("Entertainment",),
    ),
    Niche(
        label="news and politics",
        description=(
            "News, politics, elections, government, current affairs, weather and disasters."
        ),
        phrases=(
            "breaking news: president, congress and senate vote",
            "press conference on the election and the new law",
            "police report after the shooting, live coverage",
            "hurricane, earthquake and wildfire aftermath",
            "political debate, protest, immigration and foreign policy analysis",
        ),
        synonyms=_listed(
            "news, politics, current affairs, journalism, elections, noticias, política, "
            "nachrichten, politik, actualités, politique, notícias"
        ),
        platform_categories=("News & Politics",),
    ),
    Niche(
        label="sports",
        description=(
            "Football, basketball, baseball, soccer, boxing and other sports: "
            "games, players, highlights."
        ),
        phrases=(
            "full game highlights, touchdown and final score",
            "NBA and NFL player interview after the match",
            "soccer goals, champions league and world cup",
            "boxing and UFC fight, knockout and weigh-in",
            "tennis, golf, olympics and baseball playoffs, coach and team",
        ),
        synonyms=_listed(
            "sport, football, soccer, basketball, baseball, boxing, tennis, golf, deportes, "
            "deporte, fútbol, fussball, foot, esportes, esporte, futebol"
        ),
        platform_categories=("Sports",),
    ),
    Niche(
        label="outdoors",
        description=(
            "Hiking, camping, climbing, fishing, hunting, surfing, skiing and adventure in nature."
        ),
        phrases=(
            "solo camping in the forest, tent and campfire",
            "hiking to the summit, mountains and trail gear",
            "fishing for bass at the lake, catch and cook",
            "surfing, skiing, snowboarding and rock climbing",
            "survival skills and bushcraft in the wilderness",
        ),
        synonyms=_listed(
            "outdoor, adventure, hiking, camping, climbing, fishing, hunting, surfing, "
            "skiing, nature, aire libre, senderismo, wandern, natur, plein air, randonnée, "
            "ar livre, aventura"
        ),
    ),
    Niche(
        label="autos",
        description="Cars, motorcycles, trucks, racing, test drives, repairs and tuning.",
        phrases=(
            "new car review and test drive, 0-60 and horsepower",
            "building a turbo engine, drifting and tuning",
            "electric car, tesla and pickup truck",
            "motorcycle ride, motorbike review and helmets",
            "how to fix brakes and change oil, garage restoration, formula 1 race",
        ),
        synonyms=_listed(
            "automotive, auto, cars, car, motorcycles, motorsport, racing, trucks, vehicles, "
            "autos & vehicles, coches, motor, automóviles, motorrad, voitures, automobile, "
            "carros, motos"
        ),
        platform_categories=("Autos & Vehicles",),
    ),
    Niche(
        label="pets and animals",
        description=(
            "Dogs, cats, other pets and wild animals: care, training, rescues and wildlife."
        ),
        phrases=(
            "my puppy meets the kitten for the first time",
            "how to train your dog, pet care and grooming",
            "cute cat compilation, rescued animal adopted from the shelter",
            "aquarium fish tank, parrots, snakes and hamsters",
            "wild animals: lions, sharks, elephants and baby panda at the zoo",
        ),
        synonyms=_listed(
            "pets, pet, animals, dogs, cats, wildlife, pets & animals, mascotas, animales, "
            "haustiere, tiere, animaux, animaux de compagnie, animais, animais de estimação"
        ),
        platform_categories=("Pets & Animals",),
    ),
    Niche(
        label="parenting and family",
        description="Pregnancy, babies, motherhood, fatherhood, kids' activities and family life.",
        phrases=(
            "pregnancy update, baby bump and birth story",
            "day in the life of a mom of four, toddler routine",
            "family vlog, kids' birthday party and toys",
            "newborn essentials, breastfeeding and sleep training",
        ),
        synonyms=_listed(
            "parenting, family, motherhood, fatherhood, mom, mum, dad, moms, baby, babies, "
            "kids, pregnancy, family & parenting, familia, maternidad, crianza, bebés, "
            "familie, eltern, mutterschaft, famille, parentalité, maternité, família, "
            "maternidade"
        ),
    ),
    Niche(
        label="home and interior",
        description="Interior design, decoration, furniture, renovation, cleaning and organizing.",
        phrases=(
            "living room makeover, decor ideas and furniture",
            "apartment tour and house renovation, before and after",
            "clean with me, organizing the closet and pantry",
            "ikea hack, bedroom and kitchen remodel, paint and tiles",
        ),
        synonyms=_listed(
            "home, interior, interiors, interior design, home decor, decor, decoration, home "
            "improvement, renovation, cleaning, organizing, hogar, decoración, wohnen, "
            "einrichtung, haushalt, maison, décoration, casa, decoração"
        ),
        platform_categories=("Howto & Style",),
    ),
    Niche(
        label="gardening",
        description="Gardens, house plants, vegetables, flowers, farming and homesteads.",
        phrases=(
            "growing tomatoes in raised beds, compost and seeds",
            "house plant tour and how to repot a monstera",
            "garden flowers, pruning roses and lawn care",
            "life on a farm, chickens, tractor and harvest",
        ),
        synonyms=_listed(
            "garden, plants, house plants, farming, homesteading, agriculture, jardinería, "
            "jardín, garten, gärtnern, pflanzen, jardinage, jardin, jardinagem"
        ),
    ),
    Niche(
        label="diy and crafts",
        description=(
            "Making things by hand: crafts, woodworking, sewing, knitting, tools and life hacks."
        ),
        phrases=(
            "DIY room decor and easy crafts, how to make it yourself",
            "woodworking project: building a table with simple tools",
            "sewing, knitting and crochet pattern for beginners",
            "10 life hacks, slime and experiments at home",
            "making a knife, metal work and restoring an old tool in the workshop",
        ),
        synonyms=_listed(
            "diy, crafts, craft, handmade, woodworking, sewing, knitting, crochet, life "
            "hacks, how-to, howto, hobbies, hobbies & interests, manualidades, bricolaje, "
            "basteln, heimwerken, handarbeit, bricolage, loisirs créatifs, artesanato, faça "
            "você mesmo"
        ),
        platform_categories=("Howto & Style",),
    ),
    Niche(
        label="art and design",
        description="Drawing, painting, illustration, graphic design, architecture and museums.",
        phrases=(
            "watercolor painting tutorial, speed drawing a portrait",
            "digital art and illustration process, procreate and sketchbook",
            "graphic design, logo and typography",
            "sculpture, pottery, museum and contemporary artist exhibition",
            "architecture of modern buildings",
        ),
        synonyms=_listed(
            "art, arts, fine art, design, drawing, painting, illustration, graphic design, "
            "architecture, arte, diseño, dibujo, kunst, zeichnen, dessin, peinture, desenho"
        ),
    ),
    Niche(
        label="photography",
        description="Cameras, lenses, photo shoots, editing, drones and video making.",
        phrases=(
            "portrait photo shoot behind the scenes, natural light",
            "best camera lens for landscape photography",
            "how I edit my photos in lightroom, presets",
            "cinematic drone footage and video editing tips",
        ),
        synonyms=_listed(
            "photo, photos, photographer, videography, cameras, fotografía, fotografie, "
            "foto, photographie, fotografia"
        ),
    ),
    Niche(
        label="books",
        description="Books, reading, authors, writing, reviews and poetry.",
        phrases=(
            "my favourite novels of the year, book haul and reviews",
            "reading vlog, fantasy and romance recommendations",
            "author interview and writing advice for your first novel",
            "poetry reading and audiobook",
        ),
        synonyms=_listed(
            "reading, literature, bookstagram, booktok, authors, writing, poetry, books & "
            "literature, libros, lectura, bücher, lesen, livres, lecture, livros, leitura"
        ),
    ),
    Niche(
        label="business and careers",
        description="Entrepreneurship, marketing, careers, productivity, leadership and start-ups.",
        phrases=(
            "how I started my own business and got my first customers",
            "marketing strategy, social media growth and branding",
            "job interview tips, resume and career advice",
            "productivity, leadership and startup founder story",
        ),
        synonyms=_listed(
            "business, careers, career, entrepreneurship, entrepreneur, marketing, startups, "
            "productivity, small business, negocios, emprendimiento, unternehmertum, "
            "wirtschaft, karriere, entrepreneuriat, affaires, negócios, empreendedorismo"
        ),
    ),
    Niche(
        label="personal finance",
        description="Saving, investing, budgeting, stocks, cryptocurrency, real estate and taxes.",
        phrases=(
            "how to invest your first 1000 dollars in index funds and stocks",
            "monthly budget, saving money and paying off debt",
            "bitcoin and cryptocurrency price, trading",
            "buying a house, mortgage, taxes and retirement",
        ),
        synonyms=_listed(
            "finance, money, investing, investment, stocks, cryptocurrency, crypto, real "
            "estate, budgeting, finanzas, dinero, inversión, finanzen, geld, investieren, "
            "finances, argent, investissement, finanças, dinheiro, investimentos"
        ),
    ),
    Niche(
        label="lifestyle",
        description=(
            "Daily life vlogs, routines, friends, personal stories, motivation and challenges."
        ),
        phrases=(
            "a day in my life, morning routine vlog",
            "get ready with me and chat, life update and q&a",
            "storytime: what happened to me last week",
            "24 hour challenge with my best friends",
            "motivation and gratitude, monthly favorites",
        ),
        synonyms=_listed(
            "vlog, vlogs, vlogging, daily life, personal blog, motivation, people & blogs, "
            "estilo de vida, alltag, lebensstil, mode de vie, vie quotidienne"
        ),
        platform_categories=("People & Blogs",),
    ),
    Niche(
        label="weddings and relationships",
        description="Dating, couples, love advice, engagements, weddings and parties.",
        phrases=(
            "our wedding day film, bride, dress and vows",
            "relationship advice and first date questions",
            "he proposed! engagement story and ring",
            "planning a wedding on a budget, bridesmaids and venue",
        ),
        synonyms=_listed(
            "weddings, wedding, relationships, dating, couples, love, events, bodas, boda, "
            "relaciones, hochzeit, beziehung, mariage, relations, casamento, relacionamentos"
        ),
    ),
    Niche(
        label="faith and spirituality",
        description="Religion, prayer, scripture, spirituality, astrology and tarot.",
        phrases=(
            "sunday sermon, bible study and prayer",
            "ramadan, quran recitation and muslim life",
            "tarot reading and horoscope for your zodiac sign",
            "finding god, church worship and testimony",
        ),
        synonyms=_listed(
            "faith, religion, spirituality, christian, islam, astrology, tarot, religion & "
            "spirituality, religión, fe, espiritualidad, glaube, spiritualität, foi, "
            "spiritualité, religião, fé, espiritualidade"
        ),
    ),
    Niche(
        label="sustainability and causes",
        description="Environment, zero waste, charity, activism, equality and community work.",
        phrases=(
            "zero waste swaps, recycling and less plastic",
            "climate action, renewable energy and saving the forest",
            "fundraiser for charity, volunteering and nonprofit",
            "women's rights, LGBTQ pride and racial equality",
        ),
        synonyms=_listed(
            "sustainability, environment, eco, eco-friendly, zero waste, charity, activism, "
            "nonprofit, nonprofits & activism, sostenibilidad, medio ambiente, "
            "nachhaltigkeit, umwelt, écologie, durabilité, sustentabilidade, meio ambiente"
        ),
        platform_categories=("Nonprofits & Activism",),
    ),
)
