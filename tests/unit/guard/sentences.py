"""Ordinary sentences, with words and numbers that are close to secrets and to personal data, and are none."""

SENTENCES = """
We met at 14:30 on 2024-01-15 and talked for 45 minutes.
The budget is 1,250,000 dollars, 12.5 % more than in 2023.
Her flight LH 4711 leaves at 06:55 from gate B 22.
The password must have at least twelve characters, and one of them must be a digit.
She forgot the password of her account and asked for a new one.
Password: change it every month, and tell nobody.
The secret of a good tea is the temperature of the water.
The token ring network was replaced in 1998.
He is the bearer of good news, as the bearer documentation says.
Bearer bonds were abolished in most countries.
A key question: which key opens the cellar door?
My secret: I have never read the book.
Add 3 eggs, 250 g of flour, 1/2 l of milk and 1 pinch of salt; bake at 180 degrees for 40 minutes.
Version 3.11.7 was released on 4 December 2023; 3.12.1 followed.
The server listens on 127.0.0.1:50051, the database on 10.0.0.12:5432.
Open https://example.org/docs/2024/05/install.html#step-3 and read on.
The page http://localhost:8080/index.html did not answer.
ISBN 978-0-306-40615-7 is out of print.
The article has the DOI 10.1000/182 and 17 pages.
Request 6e8bc430-9c3a-11d9-9669-0800200c9a66 took 350 ms.
The commit 9fceb02d0ae598e95dc970b74767f19372d61af8 broke the build.
Order 20240115-000123 has 4 items and weighs 12 kg.
The room is 4.20 m by 5.35 m and 2.60 m high.
The coordinates are 48.8584, 2.2945 and the height is 330 m.
Numbers 1 2 3 4 5 6 7 8 9 10 11 12 were drawn in this order.
Between 1914 and 1918, and again from 1939 to 1945, the factory was closed.
Follow @ann on the network, or write to her; 5 @ 3 each makes 15.
The function decorate uses @property and @staticmethod.
The access token expires after an hour, the refresh token after 30 days.
The API key is stored in the vault under the name of the service.
The pass phrase is not written down anywhere.
My username is ann and the password is none of your business.
Ann's private key is in the safe, the public key on her page.
The client secret is rotated every quarter by operations.
Please call me when you are at the station.
The phone number of the office has changed, ask Bo for it.
Social security numbers are never stored here.
The card was declined twice; the bank says the limit is 2000 per day.
The train has 12 carriages and 816 seats.
Chapter 12, verse 5: nothing is untied.
Temperatures: 21.5 22.0 22.5 23.0 21.0 20.5 degrees.
He ran 42.195 km in 3:28:07, and 10 km in 00:44:31.
The sum of 123 and 456 is 579.
Das Passwort wurde gestern geändert, der Schlüssel liegt unter der Matte.
Le mot de passe est trop court, et la clé ne tourne pas.
パスワードを忘れました。鍵は机の上にあります。
""".strip().splitlines()
